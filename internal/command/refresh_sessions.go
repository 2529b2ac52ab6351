package command

import "time"

// refreshSessions {refreshSessions: [ids]} notes that sessions are still in use.
func refreshSessions(op *operation) error {
	keys, err := sessionKeys(op)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, key := range keys {
		if _, err := op.server.sessions.touch(key, now); err != nil {
			return err
		}
	}
	return nil
}
