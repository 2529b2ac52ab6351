// Package socket makes the servers' side of connections cheap: without calls to the Go scheduler for what takes microseconds, and
// without sleep between the messages of a lone client. It knows nothing of what is sent.
package socket
