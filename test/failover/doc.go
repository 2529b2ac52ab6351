// Package failover holds one test: streams of the client on a replica set of three real mongods whose primary is killed, restarted,
// stepped down, frozen and cut off while writers write with majority. Each stream must bring every write that happened exactly once
// and in order, without being opened again, and how long it stood still is printed.
//
// A write whose result is not known may have happened or not; the collections, read in the end, decide.
//
// It runs where SLUICE_TEST_MONGODB says that mongods can be had, on three of its own. Environment: SLUICE_FAILOVER_FAULTS (default
// 4), SLUICE_FAILOVER_SEED (default random, always logged).
package failover
