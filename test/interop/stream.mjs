// Change streams by the Node driver, read with `for await`. Prints one line an event, without what differs from run to run.
// Usage: node stream.mjs URI
import { MongoClient, BSON } from 'mongodb';

const client = new MongoClient(process.argv[2], { serverSelectionTimeoutMS: 10_000 });

// Volatile fields are checked for their types and left out; the rest is printed as it came.
function plain(event) {
  const { _id, clusterTime, wallTime, collectionUUID, lsid, txnNumber, ...rest } = event;
  if (!/^[0-9A-F]+$/.test(_id?._data)) throw new Error(`not a resume token: ${BSON.EJSON.stringify(_id)}`);
  if (clusterTime?._bsontype !== 'Timestamp' && clusterTime?._bsontype !== 'Long') throw new Error(`not a cluster time: ${clusterTime}`);
  if (!(wallTime instanceof Date)) throw new Error(`not a wall time: ${wallTime}`);
  return BSON.EJSON.stringify(rest, { relaxed: false });
}

// Opens a stream, makes the writes once it is open, and hands every event to `onEvent` until that returns true or the stream ends.
async function follow(title, target, options, writes, onEvent) {
  console.log(`# ${title}`);
  const stream = target.watch([], options);
  try {
    const opened = new Promise((resolve, reject) => {
      stream.once('resumeTokenChanged', resolve);
      stream.once('error', reject);
    });
    const writing = opened.then(writes);
    let previous = '';
    for await (const event of stream) {
      console.log(plain(event));
      if (event._id._data <= previous) throw new Error(`resume tokens do not ascend: ${previous}, then ${event._id._data}`);
      previous = event._id._data;
      if (onEvent(event)) break;
    }
    await writing;
  } finally {
    await stream.close();
  }
}

const deadline = setTimeout(() => {
  console.error('no end after 60 s');
  process.exit(1);
}, 60_000);

try {
  const db = client.db('interop_node');
  await db.dropDatabase();
  await db.createCollection('orders');
  const orders = db.collection('orders');

  let resumeAfter;
  let seen = 0;
  await follow('collection', orders, {}, async () => {
    await orders.insertOne({ _id: 1, item: 'tea', qty: 2, lines: [{ n: 1 }, { n: 2 }] });
    await orders.insertMany([{ _id: 2, item: 'coffee' }, { _id: 3, item: 'milk' }]);
    await orders.updateOne({ _id: 1 }, { $inc: { qty: 1 }, $set: { 'lines.1.n': 3 }, $unset: { item: '' } });
    await orders.findOneAndUpdate({ _id: 2 }, { $set: { qty: 4 } });
    await orders.updateMany({ _id: { $gte: 2 } }, { $set: { sold: true } });
    await orders.replaceOne({ _id: 3 }, { item: 'oat milk' });
    await orders.bulkWrite([
      { insertOne: { document: { _id: 4, item: 'salt' } } },
      { updateOne: { filter: { _id: 5 }, update: { $set: { item: 'rice' } }, upsert: true } },
      { deleteOne: { filter: { _id: 4 } } },
    ]);
    await orders.deleteMany({ _id: { $in: [1, 2] } });
  }, (event) => {
    seen += 1;
    if (seen === 7) resumeAfter = event._id;
    return event.operationType === 'delete' && event.documentKey._id === 2;
  });

  await follow('resumed after the seventh event, to the invalidation', orders, { resumeAfter }, () => orders.drop(),
    (event) => event.operationType === 'invalidate');

  await db.createCollection('orders');
  await orders.insertOne({ _id: 1, item: 'tea', qty: 2 });
  await follow('updateLookup', orders, { fullDocument: 'updateLookup' },
    () => orders.updateOne({ _id: 1 }, { $inc: { qty: 1 }, $set: { 'by.name': 'Ada' } }), () => true);

  const archive = client.db('interop_node_archive');
  await archive.dropDatabase();
  await follow('database', db, {}, async () => {
    await db.collection('a').insertOne({ _id: 'x' });
    await db.collection('a').rename('b');
    await archive.collection('a').insertOne({ _id: 'elsewhere' });
    await db.collection('b').deleteOne({ _id: 'x' });
  }, (event) => event.operationType === 'delete');

  await follow('cluster', client, {}, async () => {
    await archive.collection('a').insertOne({ _id: 'here' });
    await archive.dropDatabase();
  }, (event) => event.operationType === 'dropDatabase');
  await db.dropDatabase();
} finally {
  clearTimeout(deadline);
  await client.close();
}
