package command

import (
	"context"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/store"
)

func TestWhatOutLeftBehindIsDroppedWhenTheServerStarts(t *testing.T) {
	t.Parallel()
	cfg := Config{ReplicaSet: "rs0", Store: store.Config{Dir: t.TempDir() + "/db"}}
	server, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	conn := server.NewConn(ConnInfo{ID: 1})
	send(t, conn, "db", bson.D{{Key: "create", Value: "kept"}})
	send(t, conn, "db", bson.D{{Key: "create", Value: "v"}, {Key: "viewOn", Value: "kept"}})
	op := &operation{ctx: context.Background(), server: server, view: server.store, target: server.store, generic: generic{db: "db"}, conn: conn}
	left := replacement{op: op, env: &environment{op: op}, name: "tmp.agg_out.x"}
	left.to.DB, left.to.Coll = "db", "o"
	if err := left.begin(); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if server, err = Open(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	conn = server.NewConn(ConnInfo{ID: 1})
	defer conn.Close()
	names := send(t, conn, "db", bson.D{{Key: "listCollections", Value: 1}, {Key: "nameOnly", Value: true}}).String()
	if strings.Contains(names, "tmp") || !strings.Contains(names, `"kept"`) || !strings.Contains(names, `"v"`) {
		t.Errorf("after the restart there are %s", names)
	}
}
