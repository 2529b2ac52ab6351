// Package torture holds one test: streams of the client on a network that cuts, truncates, delays and refuses, on a server whose
// commands fail at random, read by callers who lose patience, change their minds, close and go on from tokens. Each stream must
// have brought every write exactly once and in order, and nothing may be left running.
//
// It runs on the embedded engine, and on a mongod of its own where SLUICE_TEST_MONGODB says that there are such.
//
//	SLUICE_TORTURE_FAULTS=10000 go test -C test -race -count=1 -timeout 60m -v ./torture
//
// is the long form. Environment: SLUICE_TORTURE_FAULTS (default 200) is how many faults it takes, SLUICE_TORTURE_SEED (default random, always logged)
// what everything random follows from, as far as the order in which goroutines run allows.
package torture
