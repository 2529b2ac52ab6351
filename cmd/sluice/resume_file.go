package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sluicestream/sluice"
)

// resumeFile keeps a position between two runs: the token as text, in a file that is replaced as a whole.
type resumeFile struct {
	path  string
	saved sluice.Token // what the file holds
}

// openResumeFile reads the file. Where there is none the position is zero: start from now.
func openResumeFile(path string) (*resumeFile, error) {
	// The file that a link leads to is replaced, not the link.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	f := &resumeFile{path: path}
	const advice = "delete it to start from now, or name another file"
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err = os.Stat(filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("resume file: %w; create its folder, or name another file", err)
		}
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("resume file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("resume file %s: not a regular file, which could be replaced as a whole; name another file", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("resume file: %w", err)
	}
	if err := f.saved.UnmarshalText(text); err != nil {
		return nil, fmt.Errorf("resume file %s holds no resume token: %w; %s", path, err, advice)
	}
	if f.saved.IsZero() {
		return nil, fmt.Errorf("resume file %s is empty; %s", path, advice)
	}
	return f, nil
}

// save makes the file hold the token, if that is another one. After a crash the file holds this one or an earlier one,
// never a part: the folder is not synced, because an earlier position repeats events and loses none.
func (f *resumeFile) save(token sluice.Token) error {
	if token.IsZero() || token == f.saved {
		return nil
	}
	text, err := token.MarshalText()
	if err == nil {
		err = replaceFile(f.path, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("save the position: %w", err)
	}
	f.saved = token
	return nil
}

// replaceFile writes a file under another name in the same folder and gives it its name once its content is durable.
// Only the owner may read it: a token contains the key of a document.
func replaceFile(path string, content []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
