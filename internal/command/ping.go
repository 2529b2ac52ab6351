package command

// ping {ping: 1} answers.
func ping(op *operation) error { return op.noArguments() }

// noArguments refuses arguments beyond the command's own name and the generic ones.
func (op *operation) noArguments() error {
	return op.arguments(func(name string, a argument) error {
		if name == op.cmd.name {
			return nil
		}
		return a.unknown()
	})
}
