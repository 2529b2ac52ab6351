// Package failover holds one test: streams of the client on a replica set of three real mongods whose primary is killed, restarted,
// stepped down, frozen and cut off while writers write with majority. Each stream must bring every write that happened exactly once
// and in order, without being opened again, and how long it stood still is printed.
//
// A write whose result is not known may have happened or not; the collections, read in the end, decide.
//
//	SLUICE_FAILOVER_FAULTS=50 go test -C test -race -count=1 -timeout 60m -v ./failover
//
// is a long form. It runs where SLUICE_TEST_MONGODB says that mongods can be had, on three of its own. Environment: SLUICE_FAILOVER_FAULTS
// (default 4; each seven of them are the seven kinds), SLUICE_FAILOVER_SEED (default random, always logged), from which their order follows.
package failover
