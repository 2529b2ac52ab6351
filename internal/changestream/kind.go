package changestream

// kind is what an event says that happened.
type kind uint8

const (
	kindInsert kind = iota
	kindUpdate
	kindReplace
	kindDelete
	kindDrop
	kindRename
	kindDropDatabase
	kindCreate
	kindCreateIndexes
	kindDropIndexes
	kindModify
)

var operationTypes = [...]string{
	kindInsert: "insert", kindUpdate: "update", kindReplace: "replace", kindDelete: "delete", kindDrop: "drop", kindRename: "rename",
	kindDropDatabase: "dropDatabase", kindCreate: "create", kindCreateIndexes: "createIndexes",
	kindDropIndexes: "dropIndexes", kindModify: "modify",
}

const operationInvalidate = "invalidate"

// operationType returns the event's operationType.
func (k kind) operationType() string { return operationTypes[k] }

// expanded reports whether only streams with showExpandedEvents show such events.
func (k kind) expanded() bool { return k >= kindCreate }
