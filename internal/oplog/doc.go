// Package oplog is the record of what happened: its entries in MongoDB's shape, the timestamps that order them, and the $v:2
// diff that an update is recorded as.
//
// It knows neither where entries are kept (package store) nor what change streams make of them (package changestream).
package oplog
