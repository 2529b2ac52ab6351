// Typed into mongosh line by line by run.sh. Lines starting with "//" show up in no output.
use interop_shell
db.dropDatabase().ok
db.hello().isWritablePrimary
db.orders.insertOne({ _id: 1, item: "tea", qty: 2, tags: ["hot", "green"] })
db.orders.insertMany([{ _id: 2, item: "coffee", qty: NumberLong("5"), price: NumberDecimal("3.20") }, { _id: 3, item: "milk", qty: 1, at: ISODate("2024-05-06T07:08:09.010Z") }])
db.orders.find({ qty: { $gte: 2 } }).sort({ qty: -1 })
db.orders.findOne({ tags: "green" }, { item: 1, _id: 0 })
db.orders.find({ at: { $exists: true } })
db.orders.updateOne({ _id: 1 }, { $inc: { qty: 1 }, $push: { tags: "fresh" } })
db.orders.updateMany({ item: { $in: ["milk", "coffee"] } }, { $set: { kind: "white" } })
db.orders.updateOne({ _id: 9 }, { $set: { item: "salt" } }, { upsert: true })
db.orders.findOneAndUpdate({ _id: 2 }, { $mul: { qty: 2 } }, { returnDocument: "after" })
db.orders.replaceOne({ _id: 3 }, { item: "oat milk" })
db.orders.deleteOne({ _id: 9 })
db.orders.find().sort({ _id: 1 })
db.orders.createIndex({ item: 1 }, { unique: true })
db.orders.getIndexes()
db.orders.insertOne({ _id: 4, item: "tea" })
db.orders.insertOne({ _id: 1, item: "again" })
db.orders.distinct("item").sort()
db.orders.aggregate([{ $match: { qty: { $gt: 2 } } }, { $project: { item: 1, many: { $gte: ["$qty", 5] } } }, { $sort: { _id: 1 } }])
db.orders.estimatedDocumentCount()
show collections
// A stream: what happens after its opening, in order.
stream = db.orders.watch([{ $match: { operationType: { $ne: "replace" } } }], { fullDocument: "updateLookup" }).disableBlockWarnings(); stream.isClosed()
db.orders.insertOne({ _id: 10, item: "rice" }).acknowledged
db.orders.updateOne({ _id: 10 }, { $set: { qty: 7 }, $unset: { none: 1 } }).modifiedCount
db.orders.replaceOne({ _id: 10 }, { item: "brown rice" }).modifiedCount
db.orders.deleteOne({ _id: 10 }).deletedCount
function plain({ _id, clusterTime, wallTime, collectionUUID, ...event }) { token = _id; return EJSON.stringify(event) }
plain(stream.next())
resumeHere = token; plain(stream.next())
plain(stream.next())
stream.tryNext()
stream.close()
// Another one goes on after the first event.
stream = db.orders.watch([], { resumeAfter: resumeHere }).disableBlockWarnings(); plain(stream.next())
plain(stream.next())
db.orders.drop()
plain(stream.next())
plain(stream.next())
plain(stream.next())
stream.isClosed()
db.runCommand({ noSuchCommand: 1 })
db.orders.find({ $nope: 1 })
exit
