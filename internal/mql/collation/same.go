package collation

// Same reports whether two collations are one and the same; nil is the simple one.
func (c *Collation) Same(d *Collation) bool {
	if c == nil || d == nil {
		return c == d
	}
	return c.spec == d.spec
}
