// Reads a collection's backlog through one change stream of the Node driver. Prints one line of JSON.
import { MongoClient, Timestamp } from "mongodb";

const [uri, namespace, count, start] = process.argv.slice(2);
const [database, collection] = namespace.split(".");
const [t, i] = start.split(",").map(Number);
const events = Number(count);

const client = new MongoClient(uri);
const begin = performance.now();
const stream = client.db(database).collection(collection).watch([], { startAtOperationTime: new Timestamp({ t, i }) });
let n = 0;
for await (const _ of stream) {
  if (++n === events) break;
}
const seconds = (performance.now() - begin) / 1000;
await stream.close();
await client.close();
console.log(JSON.stringify({ events, seconds }));
