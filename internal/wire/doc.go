// Package wire frames MongoDB's wire protocol: it cuts messages out of a connection's bytes, checks their structure once, and
// lays out replies. What a message asks for, and every connection, deadline and log line, belongs elsewhere.
//
// The layout is that of MongoDB's published wire protocol: OP_MSG in both directions, OP_QUERY and OP_REPLY for the
// handshake of older drivers. Messages and replies live in pooled buffers: a [Message] belongs to whoever read it until
// [Message.Release], and nothing that it pointed to may be used afterwards.
package wire
