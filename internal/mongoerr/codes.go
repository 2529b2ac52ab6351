package mongoerr

import "strconv"

// Code is a MongoDB error code. Codes without a name of their own are called Location and their number.
type Code int32

// The codes that the engine gives or has to know.
const (
	OK                                       Code = 0
	InternalError                            Code = 1
	BadValue                                 Code = 2
	NoSuchKey                                Code = 4
	GraphContainsCycle                       Code = 5
	HostUnreachable                          Code = 6
	HostNotFound                             Code = 7
	UnknownError                             Code = 8
	FailedToParse                            Code = 9
	CannotMutateObject                       Code = 10
	UserNotFound                             Code = 11
	UnsupportedFormat                        Code = 12
	Unauthorized                             Code = 13
	TypeMismatch                             Code = 14
	Overflow                                 Code = 15
	InvalidLength                            Code = 16
	ProtocolError                            Code = 17
	AuthenticationFailed                     Code = 18
	CannotReuseObject                        Code = 19
	IllegalOperation                         Code = 20
	EmptyArrayOperation                      Code = 21
	InvalidBSON                              Code = 22
	AlreadyInitialized                       Code = 23
	LockTimeout                              Code = 24
	NamespaceNotFound                        Code = 26
	IndexNotFound                            Code = 27
	PathNotViable                            Code = 28
	NonExistentPath                          Code = 29
	InvalidPath                              Code = 30
	RoleNotFound                             Code = 31
	CannotBackfillArray                      Code = 34
	ConflictingUpdateOperators               Code = 40
	CursorNotFound                           Code = 43
	CursorInUse                              Code = 143
	ExceededMemoryLimit                      Code = 146
	NoMatchingDocument                       Code = 47
	NamespaceExists                          Code = 48
	MaxTimeMSExpired                         Code = 50
	ManualInterventionRequired               Code = 51
	DollarPrefixedFieldName                  Code = 52
	InvalidIDField                           Code = 53
	NotSingleValueField                      Code = 54
	InvalidDBRef                             Code = 55
	EmptyFieldName                           Code = 56
	DottedFieldName                          Code = 57
	CommandNotFound                          Code = 59
	ShardKeyNotFound                         Code = 61
	StaleShardVersion                        Code = 63
	WriteConcernFailed                       Code = 64
	ImmutableField                           Code = 66
	CannotCreateIndex                        Code = 67
	IndexAlreadyExists                       Code = 68
	AuthSchemaIncompatible                   Code = 69
	InvalidOptions                           Code = 72
	InvalidNamespace                         Code = 73
	UnknownReplWriteConcern                  Code = 79
	IndexOptionsConflict                     Code = 85
	IndexKeySpecsConflict                    Code = 86
	NetworkTimeout                           Code = 89
	ShutdownInProgress                       Code = 91
	OperationFailed                          Code = 96
	UnsatisfiableWriteConcern                Code = 100
	WriteConflict                            Code = 112
	ConflictingOperationInProgress           Code = 117
	CommandNotSupported                      Code = 115
	DocumentValidationFailure                Code = 121
	CommandFailed                            Code = 125
	StaleEpoch                               Code = 150
	DurationOverflow                         Code = 159
	CappedPositionLost                       Code = 136
	ReadConcernMajorityNotAvailableYet       Code = 134
	FailedToSatisfyReadPreference            Code = 133
	ViewDepthLimitExceeded                   Code = 165
	CommandNotSupportedOnView                Code = 166
	OptionNotSupportedOnView                 Code = 167
	InvalidPipelineOperator                  Code = 168
	ViewPipelineMaxSizeExceeded              Code = 195
	MaxSubPipelineDepthExceeded              Code = 232
	CollectionUUIDMismatch                   Code = 361
	CannotIndexParallelArrays                Code = 171
	QueryPlanKilled                          Code = 175
	AmbiguousIndexKeyPattern                 Code = 181
	ClientMetadataAppNameTooLarge            Code = 184
	ClientMetadataCannotBeMutated            Code = 186
	InvalidIndexSpecificationOption          Code = 197
	PrimarySteppedDown                       Code = 189
	InvalidUUID                              Code = 207
	TransactionTooOld                        Code = 225
	RetryChangeStream                        Code = 234
	CursorKilled                             Code = 237
	SnapshotTooOld                           Code = 239
	ConversionFailure                        Code = 241
	SnapshotUnavailable                      Code = 246
	NoSuchTransaction                        Code = 251
	TransactionCommitted                     Code = 256
	InvalidResumeToken                       Code = 260
	ExceededTimeLimit                        Code = 262
	OperationNotSupportedInTransaction       Code = 263
	TooManyFilesOpen                         Code = 264
	FailPointSetFailed                       Code = 266
	ChangeStreamFatalError                   Code = 280
	ChangeStreamHistoryLost                  Code = 286
	NoQueryExecutionPlans                    Code = 291
	QueryExceededMemoryLimitNoDiskUseAllowed Code = 292
	IndexBuildAborted                        Code = 276
	InterruptedAtShutdown                    Code = 11600
	Interrupted                              Code = 11601
	InterruptedDueToReplStateChange          Code = 11602
	BackgroundOperationInProgressForDB       Code = 12586
	ObjectIsBusy                             Code = 314
	APIStrictError                           Code = 323
	APIVersionError                          Code = 322
	TransactionTooLarge                      Code = 257
	IncompleteTransactionHistory             Code = 217
	PreparedTransactionInProgress            Code = 267
	TransactionExceededLifetimeLimitSeconds  Code = 290
	SocketException                          Code = 9001
	NotWritablePrimary                       Code = 10107
	BSONObjectTooLarge                       Code = 10334
	DuplicateKey                             Code = 11000
	DatabaseDifferCase                       Code = 13297
	StaleConfig                              Code = 13388
	NotPrimaryNoSecondaryOk                  Code = 13435
	NotPrimaryOrSecondary                    Code = 13436
	OutOfDiskSpace                           Code = 14031
	IDLFailedToParse                         Code = 40414
	IDLUnknownField                          Code = 40415
	IDLDuplicateField                        Code = 40413
	CannotConvertIndexToUnique               Code = 359
	SearchNotEnabled                         Code = 31082
	NotARetryableWriteCommand                Code = 50768
	ClientDisconnect                         Code = 279
	ConnectionPoolExpired                    Code = 317
	APIDeprecationError                      Code = 324
	APIMismatchError                         Code = 347
	UnsupportedOpQueryCommand                Code = 352
	InternalTransactionNotSupported          Code = 358
	ClusterTimeFailsRateLimiter              Code = 205
	MaxStalenessOutOfRange                   Code = 160
	TooManyLogicalSessions                   Code = 261
	NoSuchSession                            Code = 206
)

var names = map[Code]string{
	OK: "OK", InternalError: "InternalError", BadValue: "BadValue", NoSuchKey: "NoSuchKey", GraphContainsCycle: "GraphContainsCycle",
	HostUnreachable: "HostUnreachable", HostNotFound: "HostNotFound", UnknownError: "UnknownError", FailedToParse: "FailedToParse",
	CannotMutateObject: "CannotMutateObject", UserNotFound: "UserNotFound", UnsupportedFormat: "UnsupportedFormat",
	Unauthorized: "Unauthorized", TypeMismatch: "TypeMismatch", Overflow: "Overflow", InvalidLength: "InvalidLength",
	ProtocolError: "ProtocolError", AuthenticationFailed: "AuthenticationFailed", CannotReuseObject: "CannotReuseObject",
	IllegalOperation: "IllegalOperation", EmptyArrayOperation: "EmptyArrayOperation", InvalidBSON: "InvalidBSON", AlreadyInitialized: "AlreadyInitialized",
	LockTimeout: "LockTimeout", NamespaceNotFound: "NamespaceNotFound", IndexNotFound: "IndexNotFound", PathNotViable: "PathNotViable",
	NonExistentPath: "NonExistentPath", InvalidPath: "InvalidPath", RoleNotFound: "RoleNotFound",
	CannotBackfillArray: "CannotBackfillArray", ConflictingUpdateOperators: "ConflictingUpdateOperators",
	CursorNotFound: "CursorNotFound", CursorInUse: "CursorInUse", NoMatchingDocument: "NoMatchingDocument",
	NamespaceExists: "NamespaceExists", MaxTimeMSExpired: "MaxTimeMSExpired", ManualInterventionRequired: "ManualInterventionRequired",
	DollarPrefixedFieldName: "DollarPrefixedFieldName", InvalidIDField: "InvalidIdField", NotSingleValueField: "NotSingleValueField",
	InvalidDBRef: "InvalidDBRef", EmptyFieldName: "EmptyFieldName", DottedFieldName: "DottedFieldName",
	CommandNotFound: "CommandNotFound", ShardKeyNotFound: "ShardKeyNotFound", StaleShardVersion: "StaleShardVersion",
	WriteConcernFailed: "WriteConcernFailed", ImmutableField: "ImmutableField", CannotCreateIndex: "CannotCreateIndex",
	IndexAlreadyExists: "IndexAlreadyExists", AuthSchemaIncompatible: "AuthSchemaIncompatible", InvalidOptions: "InvalidOptions", InvalidPipelineOperator: "InvalidPipelineOperator", NotARetryableWriteCommand: "NotARetryableWriteCommand", QueryPlanKilled: "QueryPlanKilled",
	InvalidNamespace: "InvalidNamespace", UnknownReplWriteConcern: "UnknownReplWriteConcern",
	IndexOptionsConflict: "IndexOptionsConflict", IndexKeySpecsConflict: "IndexKeySpecsConflict", NetworkTimeout: "NetworkTimeout",
	ShutdownInProgress: "ShutdownInProgress", OperationFailed: "OperationFailed", UnsatisfiableWriteConcern: "UnsatisfiableWriteConcern",
	ConflictingOperationInProgress: "ConflictingOperationInProgress", IncompleteTransactionHistory: "IncompleteTransactionHistory",
	WriteConflict: "WriteConflict", CommandNotSupported: "CommandNotSupported", DocumentValidationFailure: "DocumentValidationFailure",
	CommandFailed: "CommandFailed", StaleEpoch: "StaleEpoch", CappedPositionLost: "CappedPositionLost",
	ReadConcernMajorityNotAvailableYet: "ReadConcernMajorityNotAvailableYet", FailedToSatisfyReadPreference: "FailedToSatisfyReadPreference",
	ViewDepthLimitExceeded: "ViewDepthLimitExceeded", CommandNotSupportedOnView: "CommandNotSupportedOnView",
	OptionNotSupportedOnView: "OptionNotSupportedOnView", ClientMetadataCannotBeMutated: "ClientMetadataCannotBeMutated",
	InvalidIndexSpecificationOption: "InvalidIndexSpecificationOption", PrimarySteppedDown: "PrimarySteppedDown",
	InvalidUUID: "InvalidUUID", TransactionTooOld: "TransactionTooOld", RetryChangeStream: "RetryChangeStream",
	CursorKilled: "CursorKilled", SnapshotTooOld: "SnapshotTooOld", SnapshotUnavailable: "SnapshotUnavailable",
	NoSuchTransaction: "NoSuchTransaction", TransactionCommitted: "TransactionCommitted", InvalidResumeToken: "InvalidResumeToken",
	ExceededTimeLimit: "ExceededTimeLimit", OperationNotSupportedInTransaction: "OperationNotSupportedInTransaction",
	TooManyFilesOpen: "TooManyFilesOpen", ChangeStreamFatalError: "ChangeStreamFatalError",
	ChangeStreamHistoryLost: "ChangeStreamHistoryLost", NoQueryExecutionPlans: "NoQueryExecutionPlans",
	QueryExceededMemoryLimitNoDiskUseAllowed: "QueryExceededMemoryLimitNoDiskUseAllowed", IndexBuildAborted: "IndexBuildAborted",
	InterruptedAtShutdown: "InterruptedAtShutdown", Interrupted: "Interrupted",
	InterruptedDueToReplStateChange:    "InterruptedDueToReplStateChange",
	BackgroundOperationInProgressForDB: "BackgroundOperationInProgressForDatabase", ObjectIsBusy: "ObjectIsBusy",
	APIStrictError: "APIStrictError", APIVersionError: "APIVersionError", TransactionTooLarge: "TransactionTooLarge",
	SocketException: "SocketException", NotWritablePrimary: "NotWritablePrimary", BSONObjectTooLarge: "BSONObjectTooLarge",
	DuplicateKey: "DuplicateKey", StaleConfig: "StaleConfig", NotPrimaryNoSecondaryOk: "NotPrimaryNoSecondaryOk",
	NotPrimaryOrSecondary: "NotPrimaryOrSecondary", OutOfDiskSpace: "OutOfDiskSpace", IDLFailedToParse: "IDLFailedToParse",
	IDLUnknownField: "IDLUnknownField", IDLDuplicateField: "IDLDuplicateField",
	CannotIndexParallelArrays: "CannotIndexParallelArrays", AmbiguousIndexKeyPattern: "AmbiguousIndexKeyPattern",
	ClientMetadataAppNameTooLarge: "ClientMetadataAppNameTooLarge", FailPointSetFailed: "FailPointSetFailed",
	ClientDisconnect:                        "ClientDisconnect",
	ConnectionPoolExpired:                   "ConnectionPoolExpired",
	APIDeprecationError:                     "APIDeprecationError",
	APIMismatchError:                        "APIMismatchError",
	TransactionExceededLifetimeLimitSeconds: "TransactionExceededLifetimeLimitSeconds",
	UnsupportedOpQueryCommand:               "UnsupportedOpQueryCommand",
	InternalTransactionNotSupported:         "InternalTransactionNotSupported",
	ClusterTimeFailsRateLimiter:             "ClusterTimeFailsRateLimiter",
	MaxStalenessOutOfRange:                  "MaxStalenessOutOfRange",
	TooManyLogicalSessions:                  "TooManyLogicalSessions",
	SearchNotEnabled:                        "SearchNotEnabled",
	CannotConvertIndexToUnique:              "CannotConvertIndexToUnique",
	NoSuchSession:                           "NoSuchSession",
	DatabaseDifferCase:                      "DatabaseDifferCase", CollectionUUIDMismatch: "CollectionUUIDMismatch", ExceededMemoryLimit: "ExceededMemoryLimit", DurationOverflow: "DurationOverflow",
	ConversionFailure: "ConversionFailure",
}

// Name returns the code's name as codeName shows it.
func (c Code) Name() string {
	if n, ok := names[c]; ok {
		return n
	}
	if n, ok := otherNames[c]; ok {
		return n
	}
	return "Location" + strconv.Itoa(int(c))
}

// NotPrimary reports whether the code says that the server is no primary.
func (c Code) NotPrimary() bool {
	switch c {
	case PrimarySteppedDown, NotWritablePrimary, InterruptedDueToReplStateChange, NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary:
		return true
	}
	return false
}

// Shutdown reports whether the code says that the server stops.
func (c Code) Shutdown() bool { return c == ShutdownInProgress || c == InterruptedAtShutdown }

// Interruption reports whether the code ends a whole command, whichever of its statements was under way.
func (c Code) Interruption() bool {
	switch c {
	case LockTimeout, MaxTimeMSExpired, CursorKilled, ExceededTimeLimit, ClientDisconnect, TransactionExceededLifetimeLimitSeconds,
		InterruptedAtShutdown, Interrupted, InterruptedDueToReplStateChange:
		return true
	}
	return false
}

// RetryableWrite reports whether a failed retryable write is worth sending again (retryable writes specification).
func (c Code) RetryableWrite() bool {
	switch c {
	case HostUnreachable, HostNotFound, NetworkTimeout, ShutdownInProgress, PrimarySteppedDown, ExceededTimeLimit, SocketException,
		NotWritablePrimary, InterruptedAtShutdown, InterruptedDueToReplStateChange, NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary,
		ConnectionPoolExpired, InternalTransactionNotSupported:
		return true
	}
	return false
}

// TransientTransaction reports whether a transaction in which a command failed with the code is worth trying again as a whole
// (transactions specification). Ends tells that the command was to end the transaction.
func (c Code) TransientTransaction(ends bool) bool {
	switch c {
	case WriteConflict, LockTimeout, NoSuchTransaction, SnapshotTooOld, SnapshotUnavailable, PreparedTransactionInProgress,
		StaleShardVersion, StaleEpoch, StaleConfig, 250, 272, 321, 325, 364: // the numbers are those of routers and of migrations
		return true
	}
	return !ends && c != InternalTransactionNotSupported && c.RetryableWrite()
}

// ResumableChangeStream reports whether a change stream that failed with the code can be opened again from its token.
func (c Code) ResumableChangeStream() bool {
	switch c {
	case RetryChangeStream, FailedToSatisfyReadPreference, StaleShardVersion, StaleEpoch, StaleConfig:
		return true
	}
	return c.RetryableWrite()
}
