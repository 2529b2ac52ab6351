// Package specification runs the change stream files of the MongoDB drivers' specifications, written in the unified test
// format, with the client of this module. It has tests only.
//
// The files are part of the Go driver's module and are not copied here. SLUICE_SPECIFICATION names their folder:
//
//	export SLUICE_SPECIFICATION=$(go mod download -json go.mongodb.org/mongo-driver@v1.17.10 | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')/testdata/change-streams
//	go test ./internal/specification
//
// Without it the tests are skipped. They run on the engine, and with SLUICE_SPECIFICATION_MONGODB on the MongoDB that it
// names, which must be theirs alone: they set fail points for all clients. The results are in docs/specification.md, which
// -rewrite writes.
package specification
