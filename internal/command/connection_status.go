package command

import "github.com/sluicestream/sluice/internal/bsonraw"

// connectionStatus {connectionStatus: 1, showPrivileges} says who the client is: nobody, as there is no authentication.
func connectionStatus(op *operation) error {
	var privileges bool
	err := op.arguments(func(name string, a argument) error {
		switch name {
		case "connectionStatus":
			return nil
		case "showPrivileges":
			return a.flag(&privileges)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	var at int
	op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "authInfo")
	op.appendList("authenticatedUsers", nil)
	op.appendList("authenticatedUserRoles", nil)
	if privileges {
		op.appendList("authenticatedUserPrivileges", nil)
	}
	op.out = bsonraw.EndDoc(op.out, at)
	return nil
}
