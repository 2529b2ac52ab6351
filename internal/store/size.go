package store

// Size estimates the bytes that a collection takes on disk: its documents and its indexes. What is not yet written to tables
// does not count.
func (s *Store) Size(c *Collection) (int64, error) {
	prefixes := [][]byte{numberedKey(kindDocument, c.ID)}
	for _, x := range c.Indexes {
		prefixes = append(prefixes, numberedKey(kindIndex, x.ID))
	}
	var total int64
	for _, prefix := range prefixes {
		n, err := s.db.EstimateDiskUsage(prefix, after(prefix))
		if err != nil {
			return 0, err
		}
		total += int64(n)
	}
	return total, nil
}
