package command

// ping {ping: 1} answers.
func ping(op *operation) error { return noArguments(op) }

// noArguments refuses arguments beyond the command's own name and the generic ones.
func noArguments(op *operation) error {
	return op.arguments(func(name string, a argument) error {
		if name == op.cmd.name {
			return nil
		}
		return a.unknown()
	})
}
