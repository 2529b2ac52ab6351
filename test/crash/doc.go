// Package crash holds one test: a server is killed with SIGKILL again and again under a load of retryable writes, and is
// restarted on the same files. Every acknowledged write must be there exactly once, and a change stream that resumes from its
// last token must have seen every write exactly once and in order. It speaks the wire protocol itself, because a retry here
// sends the very same bytes to another process, which no driver allows.
//
// Environment: SLUICE_CRASH_KILLS (default 20), SLUICE_CRASH_SEED (default random, always logged), and SLUICE_CRASH_MONGOD, the
// path of the script test/tools/mongod.sh, to run the same test against a real mongod: that is how the test itself is tested.
package crash
