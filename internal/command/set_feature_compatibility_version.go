package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// setFeatureCompatibilityVersion {setFeatureCompatibilityVersion: "7.0", confirm: true} sets the version whose data files this
// server writes to the only one that it has.
func setFeatureCompatibilityVersion(op *operation) error {
	var version string
	var confirmed, ignored bool
	err := op.arguments(func(name string, a argument) error {
		switch name {
		case op.cmd.name:
			return a.str(&version)
		case "confirm":
			return a.flag(&confirmed)
		case "downgradeOnDiskChanges", "fromConfigServer":
			return a.flag(&ignored)
		case "phase", "changeTimestamp":
			return nil
		}
		return a.unknown()
	})
	switch {
	case err != nil:
		return err
	case op.body.Lookup(op.cmd.name).Type == bsonraw.TypeNull:
		return required(op, op.cmd.name)
	case version != compatibilityVersion:
		return mongoerr.New(4926900, "Invalid feature compatibility version value '%s'; this server has '%s' only", version, compatibilityVersion)
	case !confirmed:
		return mongoerr.New(7369100, "There is no way back from featureCompatibilityVersion '%s'. Run the command with 'confirm: true' to acknowledge that", version)
	}
	return nil
}
