package command

// endSessions {endSessions: [ids]} ends sessions, and the cursors that were opened in them. Ids that are not known are passed
// over.
func endSessions(op *operation) error {
	keys, err := sessionKeys(op)
	if err != nil {
		return err
	}
	endAll(op, keys)
	return nil
}

func endAll(op *operation, keys []string) {
	for _, key := range keys {
		if !op.server.transactions.has(key) { // an open one lives on until it ends or is too old
			op.server.sessions.end(key)
		}
		op.server.cursors.killSession(key)
	}
}
