package sluice_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/sluicestream/sluice"
)

// mailer sends a mail for each order, and keeps in a file how far it has come.
type mailer struct{ file string }

// run goes on where an earlier run has stopped, until it has sent so many mails.
func (m *mailer) run(ctx context.Context, orders *mongo.Collection, mails int) error {
	start, err := m.load()
	if err != nil {
		return err
	}
	stream, err := sluice.Watch[bson.M](ctx, orders, nil, &sluice.Options{StartAfter: start}) // the zero Token: from now on
	if err != nil {
		return err
	}
	defer stream.Close()
	if err := m.save(stream.ResumeToken()); err != nil { // or a first run that ends early would leave nothing to go on from
		return err
	}
	for range mails {
		event, err := stream.Next(ctx)
		if err != nil {
			return err
		}
		fmt.Println("mail for order", event.DocumentKey().Lookup("_id").AsInt64())
		// First the work, then the token: after a crash in between the mail is sent twice. The other way round it would
		// never be sent.
		if err := m.save(event.Token()); err != nil {
			return err
		}
	}
	return nil
}

func (m *mailer) load() (token sluice.Token, err error) {
	text, err := os.ReadFile(m.file)
	if errors.Is(err, fs.ErrNotExist) {
		return token, nil
	}
	if err != nil {
		return token, err
	}
	return token, token.UnmarshalText(text)
}

// save puts a new file in the old one's place, so that a crash leaves one of them whole.
func (m *mailer) save(token sluice.Token) error {
	text, err := token.MarshalText()
	if err != nil {
		return err
	}
	if err := os.WriteFile(m.file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(m.file+".new", m.file)
}

// A program that is stopped, and goes on after the last order that it has dealt with.
func Example_resumeFromFile() {
	ctx := context.Background()
	db, closeShop := openShop(ctx)
	defer closeShop()
	orders := db.Collection("orders")
	dir := must(os.MkdirTemp("", "mailer"))
	defer func() { _ = os.RemoveAll(dir) }()

	run := func(mails int) {
		m := &mailer{file: filepath.Join(dir, "position")}
		if err := m.run(ctx, orders, mails); err != nil {
			panic(err)
		}
		fmt.Println("stopped")
	}
	run(0)
	for id := 1; id <= 3; id++ {
		insert(ctx, orders, id)
	}
	run(2)
	insert(ctx, orders, 4)
	run(2)

	// Output:
	// stopped
	// mail for order 1
	// mail for order 2
	// stopped
	// mail for order 3
	// mail for order 4
	// stopped
}
