// Package sluice is a client for MongoDB change streams that never loses or repeats an event.
package sluice
