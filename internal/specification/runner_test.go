package specification

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice"
)

// file is a file of the unified test format, as far as the change stream files use it.
type file struct {
	Description       string        `bson:"description"`
	RunOnRequirements []requirement `bson:"runOnRequirements"`
	CreateEntities    []bson.Raw    `bson:"createEntities"`
	InitialData       []struct {
		CollectionName string     `bson:"collectionName"`
		DatabaseName   string     `bson:"databaseName"`
		Documents      []bson.Raw `bson:"documents"`
	} `bson:"initialData"`
	Tests []specTest `bson:"tests"`
}

type requirement struct {
	Min        string   `bson:"minServerVersion"`
	Max        string   `bson:"maxServerVersion"`
	Topologies []string `bson:"topologies"`
}

type specTest struct {
	Description       string        `bson:"description"`
	RunOnRequirements []requirement `bson:"runOnRequirements"`
	Operations        []operation   `bson:"operations"`
	ExpectEvents      []struct {
		Client            string     `bson:"client"`
		IgnoreExtraEvents bool       `bson:"ignoreExtraEvents"`
		Events            []bson.Raw `bson:"events"`
	} `bson:"expectEvents"`
}

type operation struct {
	Name         string        `bson:"name"`
	Object       string        `bson:"object"`
	Arguments    bson.Raw      `bson:"arguments"`
	ExpectError  bson.Raw      `bson:"expectError"`
	ExpectResult bson.RawValue `bson:"expectResult"`
	SaveAs       string        `bson:"saveResultAsEntity"`
}

// runner runs one test of a file.
type runner struct {
	t       *testing.T
	connect func(*options.ClientOptions) *mongo.Client
	clients map[string]*mongo.Client
	dbs     map[string]*mongo.Database
	colls   map[string]*mongo.Collection
	streams map[string]*sluice.Stream[bson.Raw]

	mu   sync.Mutex
	sent map[string][]bson.Raw // by client: command, commandName and databaseName, as the files have them
}

func (r *runner) run(f *file, test *specTest) {
	r.createEntities(f.CreateEntities)
	r.fill(f)
	for i, op := range test.Operations {
		result, err := r.do(op)
		where := fmt.Sprintf("operation %d, %s of %s", i, op.Name, op.Object)
		switch {
		case op.ExpectError != nil:
			if problem := matchError(op.ExpectError, err); problem != nil {
				r.t.Errorf("%s: %v", where, problem)
			}
		case err != nil:
			r.t.Fatalf("%s: %v", where, err)
		case op.ExpectResult.Type != 0:
			if problem := match("the result", op.ExpectResult, rawDocument(result), true); problem != nil {
				r.t.Errorf("%s: %v", where, problem)
			}
		}
	}
	for _, expected := range test.ExpectEvents {
		r.mu.Lock()
		got := slices.Clone(r.sent[expected.Client])
		r.mu.Unlock()
		if len(got) < len(expected.Events) || len(got) > len(expected.Events) && !expected.IgnoreExtraEvents {
			r.t.Errorf("%d commands were sent, want %d: %v", len(got), len(expected.Events), got)
			continue
		}
		for i, want := range expected.Events {
			if problem := matchCommand(want.Lookup("commandStartedEvent").Document(), got[i]); problem != nil {
				r.t.Errorf("command %d: %v", i, problem)
			}
		}
	}
}

// matchCommand compares a command. Its own fields may be more than expected; what else is told of it may not.
func matchCommand(want, got bson.Raw) error {
	for _, field := range []string{"command", "commandName", "databaseName"} {
		if value := want.Lookup(field); value.Type != 0 {
			if err := match(field, value, got.Lookup(field), true); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *runner) createEntities(entities []bson.Raw) {
	for _, e := range entities {
		element, err := e.IndexErr(0)
		if err != nil {
			r.t.Fatal(err)
		}
		spec := element.Value().Document()
		id := spec.Lookup("id").StringValue()
		switch element.Key() {
		case "client":
			r.clients[id] = r.connect(options.Client().SetMonitor(r.monitor(id, spec)))
		case "database":
			r.dbs[id] = r.clients[spec.Lookup("client").StringValue()].Database(spec.Lookup("databaseName").StringValue())
		case "collection":
			r.colls[id] = r.dbs[spec.Lookup("database").StringValue()].Collection(spec.Lookup("collectionName").StringValue())
		default:
			r.t.Fatalf("entity %s is not known here", element.Key())
		}
	}
}

func (r *runner) monitor(id string, spec bson.Raw) *event.CommandMonitor {
	if spec.Lookup("observeEvents").Type == 0 {
		return nil
	}
	ignored := []string{"configureFailPoint"}
	if array, ok := spec.Lookup("ignoreCommandMonitoringEvents").ArrayOK(); ok {
		values, _ := array.Values()
		for _, v := range values {
			ignored = append(ignored, v.StringValue())
		}
	}
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if slices.Contains(ignored, e.CommandName) {
			return
		}
		told, err := bson.Marshal(bson.D{{Key: "command", Value: slices.Clone(e.Command)}, {Key: "commandName", Value: e.CommandName}, {Key: "databaseName", Value: e.DatabaseName}})
		if err != nil {
			r.t.Error(err)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sent[id] = append(r.sent[id], told)
	}}
}

// fill puts the collections into the state that the file wants.
func (r *runner) fill(f *file) {
	client := r.connect(options.Client())
	for _, data := range f.InitialData {
		coll := client.Database(data.DatabaseName).Collection(data.CollectionName)
		if err := coll.Drop(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
		if len(data.Documents) > 0 {
			if _, err := coll.InsertMany(r.t.Context(), data.Documents); err != nil {
				r.t.Fatal(err)
			}
		} else if err := client.Database(data.DatabaseName).CreateCollection(r.t.Context(), data.CollectionName); err != nil {
			r.t.Fatal(err)
		}
	}
}

const patience = time.Minute

// do performs an operation. Only iterateUntilDocumentOrError has a result that anybody looks at.
func (r *runner) do(op operation) (bson.Raw, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	arg := func(name string) bson.RawValue { return op.Arguments.Lookup(name) }
	switch op.Name {
	case "failPoint":
		return nil, r.setFailPoint(ctx, arg("client").StringValue(), arg("failPoint").Document())
	case "createChangeStream":
		return nil, r.createStream(ctx, op)
	case "iterateUntilDocumentOrError":
		e, err := r.streams[op.Object].Next(ctx)
		return e.Raw(), err
	case "runCommand":
		return nil, r.dbs[op.Object].RunCommand(ctx, arg("command").Document()).Err()
	case "createCollection":
		command := bson.D{{Key: "create", Value: arg("collection")}}
		for _, name := range []string{"viewOn", "pipeline"} {
			if v := arg(name); v.Type != 0 {
				command = append(command, bson.E{Key: name, Value: v})
			}
		}
		return nil, r.dbs[op.Object].RunCommand(ctx, command).Err()
	case "dropCollection":
		return nil, r.dbs[op.Object].Collection(arg("collection").StringValue()).Drop(ctx)
	}
	return nil, r.write(ctx, op, r.colls[op.Object])
}

func (r *runner) write(ctx context.Context, op operation, coll *mongo.Collection) (err error) {
	arg := func(name string) bson.RawValue { return op.Arguments.Lookup(name) }
	switch op.Name {
	case "insertOne":
		_, err = coll.InsertOne(ctx, arg("document").Document())
	case "updateOne":
		var update any
		if array, ok := arg("update").ArrayOK(); !ok {
			update = arg("update").Document()
		} else {
			var stages []bson.Raw
			values, _ := array.Values()
			for _, v := range values {
				stages = append(stages, v.Document())
			}
			update = stages
		}
		_, err = coll.UpdateOne(ctx, arg("filter").Document(), update)
	case "replaceOne":
		_, err = coll.ReplaceOne(ctx, arg("filter").Document(), arg("replacement").Document())
	case "deleteOne":
		_, err = coll.DeleteOne(ctx, arg("filter").Document())
	case "createIndex":
		_, err = coll.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: arg("keys").Document(), Options: options.Index().SetName(arg("name").StringValue())})
	case "dropIndex":
		err = coll.Indexes().DropOne(ctx, arg("name").StringValue())
	case "rename":
		db := coll.Database()
		command := bson.D{{Key: "renameCollection", Value: db.Name() + "." + coll.Name()}, {Key: "to", Value: db.Name() + "." + arg("to").StringValue()}}
		if drop := arg("dropTarget"); drop.Type != 0 {
			command = append(command, bson.E{Key: "dropTarget", Value: drop})
		}
		err = db.Client().Database("admin").RunCommand(ctx, command).Err()
	default:
		err = fmt.Errorf("operation %s is not known here", op.Name)
	}
	return err
}

func (r *runner) setFailPoint(ctx context.Context, client string, command bson.Raw) error {
	admin := r.clients[client].Database("admin")
	name := command.Lookup("configureFailPoint").StringValue()
	r.t.Cleanup(func() {
		off := bson.D{{Key: "configureFailPoint", Value: name}, {Key: "mode", Value: "off"}}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := admin.RunCommand(ctx, off).Err(); err != nil {
			r.t.Errorf("turn off %s: %v", name, err)
		}
	})
	return admin.RunCommand(ctx, command).Err()
}

// createStream opens a stream of the client under test. It fetches nothing ahead, because the files count commands.
func (r *runner) createStream(ctx context.Context, op operation) error {
	var target sluice.Target
	if c, ok := r.clients[op.Object]; ok {
		target = c
	} else if db, ok := r.dbs[op.Object]; ok {
		target = db
	} else {
		target = r.colls[op.Object]
	}
	var args struct {
		Pipeline                 []bson.Raw    `bson:"pipeline"`
		FullDocument             string        `bson:"fullDocument"`
		FullDocumentBeforeChange string        `bson:"fullDocumentBeforeChange"`
		ShowExpandedEvents       bool          `bson:"showExpandedEvents"`
		BatchSize                int32         `bson:"batchSize"`
		Comment                  bson.RawValue `bson:"comment"`
	}
	if err := bson.Unmarshal(op.Arguments, &args); err != nil {
		return err
	}
	opts := &sluice.Options{
		FullDocument:             sluice.FullDocument(args.FullDocument),
		FullDocumentBeforeChange: sluice.FullDocumentBeforeChange(args.FullDocumentBeforeChange),
		ShowExpandedEvents:       args.ShowExpandedEvents,
		BatchSize:                args.BatchSize,
		ReadAhead:                sluice.ReadAhead{Off: true},
	}
	if args.Comment.Type != 0 {
		opts.Comment = args.Comment
	}
	stream, err := sluice.Watch[bson.Raw](ctx, target, args.Pipeline, opts)
	if err != nil {
		return err
	}
	r.streams[op.SaveAs] = stream
	r.t.Cleanup(func() { _ = stream.Close() })
	return nil
}

// matchError compares an error of the client with what a file expects.
func matchError(want bson.Raw, err error) error {
	if err == nil {
		return fmt.Errorf("no error, want %v", want)
	}
	failed, ok := errors.AsType[*sluice.Error](err)
	if !ok {
		return fmt.Errorf("%w is no *sluice.Error", err)
	}
	elements, decodeErr := want.Elements()
	if decodeErr != nil {
		return decodeErr
	}
	for _, e := range elements {
		matches := false
		switch e.Key() {
		case "errorCode":
			matches = int64(failed.Code) == e.Value().AsInt64()
		case "errorCodeName":
			matches = failed.Name == e.Value().StringValue()
		case "isClientError":
			matches = e.Value().Boolean() == (failed.Code == 0)
		case "errorLabelsContain":
			labels, _ := e.Value().Array().Values()
			matches = !slices.ContainsFunc(labels, func(l bson.RawValue) bool { return !slices.Contains(failed.Labels, l.StringValue()) })
		case "errorContains":
			matches = strings.Contains(strings.ToLower(err.Error()), strings.ToLower(e.Value().StringValue()))
		}
		if !matches {
			return fmt.Errorf("%w, want %s %v", err, e.Key(), e.Value())
		}
	}
	return nil
}
