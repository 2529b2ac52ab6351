package command

// planCacheClear {planCacheClear: <collection>, ...} forgets the plans that were chosen before. Plans are chosen anew for every
// command, so there are none to forget. Other arguments are accepted and not used.
func planCacheClear(op *operation) error {
	name, err := namedCollection(op)
	if err != nil {
		return err
	}
	return refuseView(op, op.db, name)
}
