// Package violation writes why a document fails the validator of its collection: what an error with the code
// DocumentValidationFailure carries as errInfo.details. Filters and schemas say what to write; how much there may be of it is
// decided here.
package violation
