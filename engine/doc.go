// Package engine is a document database with change streams inside the process: it speaks MongoDB's wire protocol as a
// replica set of one node, to drivers of any language over loopback sockets and to this process's own without a port.
//
//	e, err := engine.Open(ctx, engine.Config{Dir: "data"})
//	if err != nil { ... }
//	defer e.Close()
//	client, err := mongo.Connect(options.Client().ApplyURI(e.URI()).SetDialer(e))
//
// Listeners, connections and the life of the whole live here. What commands do is package command's, framing is package
// wire's; neither knows the other.
package engine
