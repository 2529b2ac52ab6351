package command

import (
	"context"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// ask runs a command and returns the reply; the test fails when it is not ok.
func (c *conversation) ask(t *testing.T, db string, cmd bson.D) bson.Raw {
	t.Helper()
	reply := send(t, c.conn, db, cmd)
	if reply.Lookup("ok").Double() != 1 {
		t.Fatalf("%v: %v", cmd, reply)
	}
	return reply
}

func send(t *testing.T, conn *Conn, db string, cmd bson.D) bson.Raw {
	t.Helper()
	body, err := bson.Marshal(append(cmd, bson.E{Key: "$db", Value: db}))
	if err != nil {
		t.Fatal(err)
	}
	reply, then := conn.Run(context.Background(), &Request{Body: body}, nil)
	if then == ThenHangUp {
		t.Fatalf("%v: hung up", cmd)
	}
	return bson.Raw(reply)
}

func TestServerStatusTellsWhatClientsRead(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "db", bson.D{{Key: "insert", Value: "a"}, {Key: "documents", Value: bson.A{bson.D{}, bson.D{}}}})
	status := c.ask(t, "admin", bson.D{{Key: "serverStatus", Value: 1}})
	for path, want := range map[string]bson.Type{
		"host": bson.TypeString, "version": bson.TypeString, "process": bson.TypeString, "pid": bson.TypeInt64,
		"uptime": bson.TypeDouble, "localTime": bson.TypeDateTime, "connections.current": bson.TypeInt32,
		"connections.totalCreated": bson.TypeInt32, "opcounters.insert": bson.TypeInt64, "opcounters.getmore": bson.TypeInt64,
		"repl.setName": bson.TypeString, "repl.electionId": bson.TypeObjectID, "storageEngine.name": bson.TypeString,
		"mem.bits": bson.TypeInt32, "mem.resident": bson.TypeInt32, "metrics.cursor.open.total": bson.TypeInt64,
		"metrics.changeStreams.open": bson.TypeInt64, "logicalSessionRecordCache.activeSessionsCount": bson.TypeInt32,
	} {
		v, err := status.LookupErr(strings.Split(path, ".")...)
		if err != nil || v.Type != want {
			t.Errorf("%s is of type %v (%v), want %v", path, v.Type, err, want)
		}
	}
	if n := status.Lookup("opcounters", "insert").Int64(); n != 2 {
		t.Errorf("opcounters.insert is %d after two inserts", n)
	}
	if n := status.Lookup("connections", "current").Int32(); n != 1 {
		t.Errorf("connections.current is %d, want 1", n)
	}
	less := c.ask(t, "admin", bson.D{{Key: "serverStatus", Value: 1}, {Key: "metrics", Value: 0}, {Key: "mem", Value: 1}})
	if _, err := less.LookupErr("metrics"); err == nil {
		t.Error("metrics: 0 does not leave the section out")
	}
	if _, err := less.LookupErr("mem"); err != nil {
		t.Error("mem: 1 leaves the section out")
	}
}

func TestBuildInfoHasOneVersion(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	for _, name := range []string{"buildInfo", "buildinfo"} {
		info := c.ask(t, "admin", bson.D{{Key: name, Value: 1}})
		var got struct {
			Version      string
			VersionArray []int32 `bson:"versionArray"`
			GitVersion   string  `bson:"gitVersion"`
			Modules      []string
			Bits         int32
			Max          int32 `bson:"maxBsonObjectSize"`
		}
		if err := bson.Unmarshal(info, &got); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(got.Version, "7.0.") || len(got.VersionArray) != 4 || got.VersionArray[0] != 7 || got.VersionArray[3] != 0 {
			t.Errorf("%s: version %q, versionArray %v", name, got.Version, got.VersionArray)
		}
		if got.GitVersion == "" || got.Modules == nil || got.Bits == 0 || got.Max != 16<<20 {
			t.Errorf("%s: %v", name, info)
		}
	}
}

func TestHostInfoTellsTheMachine(t *testing.T) {
	t.Parallel()
	info := newConversation(t).ask(t, "admin", bson.D{{Key: "hostInfo", Value: 1}})
	if n := info.Lookup("system", "numCores").Int32(); n < 1 {
		t.Errorf("numCores is %d", n)
	}
	if s := info.Lookup("os", "type").StringValue(); s == "" {
		t.Error("os.type is empty")
	}
}

func TestListDatabasesEstimatesSizes(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "small", bson.D{{Key: "create", Value: "a"}})
	documents := bson.A{}
	for i := range 200 {
		documents = append(documents, bson.D{{Key: "_id", Value: i}, {Key: "text", Value: strings.Repeat("x", 5000+i)}})
	}
	c.ask(t, "large", bson.D{{Key: "insert", Value: "a"}, {Key: "documents", Value: documents}})
	if err := c.server.store.Flush(); err != nil {
		t.Fatal(err)
	}
	others := bson.D{{Key: "name", Value: bson.D{{Key: "$in", Value: bson.A{"large", "small", "none"}}}}}
	reply := c.ask(t, "admin", bson.D{{Key: "listDatabases", Value: 1}, {Key: "filter", Value: others}})
	var got struct {
		Databases []struct {
			Name       string
			SizeOnDisk int64 `bson:"sizeOnDisk"`
			Empty      bool
		}
		TotalSize int64 `bson:"totalSize"`
	}
	if err := bson.Unmarshal(reply, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Databases) != 2 || got.Databases[0].Name != "large" || got.Databases[1].Name != "small" {
		t.Fatalf("databases %v", got.Databases)
	}
	if got.Databases[0].SizeOnDisk == 0 || got.Databases[0].SizeOnDisk <= got.Databases[1].SizeOnDisk || got.Databases[0].Empty {
		t.Errorf("databases %v", got.Databases)
	}
	if got.TotalSize != got.Databases[0].SizeOnDisk+got.Databases[1].SizeOnDisk {
		t.Errorf("totalSize %d is not the sum of %v", got.TotalSize, got.Databases)
	}
}
