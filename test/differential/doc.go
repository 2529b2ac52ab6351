// Package differential asks the engine and a real mongod 6.0.5 the same things and compares the replies.
//
// Scenarios are written once, in testdata/*.txt, and run on both servers, each in a database of its own. The replies are
// compared as they came, field by field and type by type, after what cannot be equal is replaced: times of now, tokens, UUIDs,
// ids of cursors, ObjectIds that a server made. Texts of errors are not compared, their codes and names are. Histories are
// scenarios that are drawn at random: documents of all BSON types, filters, sorts, projections, updates, upserts, deletes,
// findAndModify and pipelines, with change streams beside them. Histories of streams write to several collections, change the schema under
// streams of all kinds, and resume from each of their events in every way. A history that finds a difference is shrunk and printed as a scenario,
// ready for a file.
//
// Where a pipeline of a history fails on one server only, mongod is asked it again without its optimizer (optimizer_test.go).
//
// Differences that are right are in testdata/differences, with their reasons; one that no longer occurs fails, so that the list
// stays true.
//
// A file of scenarios: lines that begin with # are comments. "=== NAME" begins a scenario; what stands before the first one is done at the
// beginning of each. Every other line is a step: a verb and values in Extended JSON. A line that begins with a space continues the one before.
//
//	insert DOC...                the documents, into the collection c
//	update Q U [FIELDS]          one statement with further fields of its own, then everything in c by _id
//	delete Q LIMIT [FIELDS]      one statement, then everything in c by _id
//	modify Q FIELDS              findAndModify with the query Q, then everything in c by _id
//	find FILTER [FIELDS]         by _id, if FIELDS has no sort
//	count FILTER [FIELDS]
//	distinct KEY [FILTER]
//	aggregate PIPELINE [FIELDS]  one batch of it
//	run COMMAND                  the command as it is
//	admin, local, config COMMAND the same on one of these databases
//	other COMMAND                the same on a second database of the scenario's own
//	let NAME PATH                remembers a value of the last reply; {"$var": "NAME"} stands for it from then on;
//	                             {"$var": "session"} and {"$var": "session2"} are ids of new sessions from the beginning
//	ask COMMAND                  on the admin database, for let: its reply is not compared
//	start NAME COMMAND           a command on a connection of its own, which goes on when the server is at it
//	finish NAME                  its reply
//	watch NAME WHERE [OPTIONS [STAGES [FIELDS]]]   opens a stream: WHERE is "database", "cluster", "other" or the name of a collection
//	events NAME                  everything that happened until now, and whether the stream is still open; for let it is {events: [...]}
//	oplog [PROJECTION]           the entries of local.oplog.rs about the scenario's databases and sessions
//	resume NAME [OTHER]          opens the stream, or another one, from every event and every position that NAME gave, in every way there is,
//	                             and reads to the end
//
// {"$ns": "c"} is the namespace of the collection c, and {"$ns": "other:c"} that of the second database's.
// {"$repeat": ["text", n]} is the text n times, and {"$range": [from, to, VALUE]} an array with VALUE for each number, in which
// {"$var": "i"} is the number.
//
// Beside them every operator and every expression meets every value (cross_test.go, cross_expression_test.go), and every command every common
// argument (cross_command_test.go); with
// SLUICE_DIFFERENTIAL_EVERY=1 updates and expressions meet all of them, which takes minutes.
//
// Faults that are planted in the engine, one at a time, are found by histories (planted_test.go): so the histories are tested themselves.
//
// The environment variable SLUICE_TEST_MONGODB names the mongod; without it the tests are skipped. SLUICE_DIFFERENTIAL_TIME (default 3s) is
// how long histories are drawn, SLUICE_DIFFERENTIAL_SEED the number of the first (default random, always logged):
//
//	SLUICE_TEST_MONGODB=$(test/tools/mongod.sh start) SLUICE_DIFFERENTIAL_TIME=20m (cd test; go test -timeout 30m -run Histories ./differential)
package differential
