"""Reads a collection's backlog through one change stream: PyMongo, its asynchronous form, or Motor. Prints one line of JSON."""

import asyncio
import json
import sys
import time

from bson.timestamp import Timestamp

library, uri, namespace, events, start = sys.argv[1:]
database, collection = namespace.split(".", 1)
events = int(events)
start = Timestamp(*map(int, start.split(",")))


def read():
    import pymongo

    with pymongo.MongoClient(uri)[database][collection].watch(start_at_operation_time=start) as stream:
        for n, _ in enumerate(stream, 1):
            if n == events:
                return


async def read_async(client):
    stream = client[database][collection].watch(start_at_operation_time=start)
    if asyncio.iscoroutine(stream):
        stream = await stream
    async with stream:
        n = 0
        async for _ in stream:
            n += 1
            if n == events:
                return


begin = time.perf_counter()
if library == "pymongo":
    read()
elif library == "pymongo-async":
    from pymongo import AsyncMongoClient

    asyncio.run(read_async(AsyncMongoClient(uri)))
elif library == "motor":
    from motor.motor_asyncio import AsyncIOMotorClient

    async def main():
        await read_async(AsyncIOMotorClient(uri))

    asyncio.run(main())
else:
    sys.exit(f"no library {library}")
print(json.dumps({"events": events, "seconds": time.perf_counter() - begin}))
