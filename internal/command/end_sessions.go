package command

// endSessions {endSessions: [ids]} ends sessions, and the cursors that were opened in them. Ids that are not known are passed
// over.
func endSessions(op *operation) error {
	keys, err := op.sessionKeys()
	if err != nil {
		return err
	}
	op.endAll(keys)
	return nil
}

func (op *operation) endAll(keys []string) {
	for _, key := range keys {
		op.server.sessions.end(key)
		op.server.cursors.killSession(key)
	}
}
