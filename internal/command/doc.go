// Package command is what the engine can be asked: the table of commands, one file a command, and what they share: sessions,
// cursors, write concerns, fail points.
//
// A request comes in as the bytes of its body and sequences and leaves as the bytes of a reply; nothing here knows sockets or
// message headers. Languages are package mql's, storage is package store's, change streams are package changestream's.
package command
