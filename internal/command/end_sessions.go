package command

// endSessions {endSessions: [ids]} lets sessions end soon, with the cursors that were opened in them, unless they are used again. Ids that are not
// known are passed over.
func endSessions(op *operation) error {
	keys, err := sessionKeys(op)
	if err != nil {
		return err
	}
	for _, key := range keys {
		op.server.sessions.end(key)
	}
	return nil
}
