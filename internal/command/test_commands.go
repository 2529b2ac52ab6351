package command

// Commands for tests of clients that declare the Stable API. Like configureFailPoint they exist only with test commands.

// testDeprecation {testDeprecation: 1} is a command that version 1 is going to lose.
func testDeprecation(op *operation) error { return testOfAPI(op) }

// testVersion2 {testVersion2: 1} is a command that version 1 does not have.
func testVersion2(op *operation) error { return testOfAPI(op) }

func testOfAPI(op *operation) error {
	if !op.server.cfg.TestCommands {
		return unknownCommand(op, []byte(op.cmd.name))
	}
	op.out = op.api.appendTo(op.out)
	return nil
}
