package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// makeFolder creates a folder with those above it, so that they are there after a power failure too: what is synced into a
// folder is worth nothing while the folder itself is not. Pebble's own files get the process's mode; the folder keeps strangers
// out.
func makeFolder(disk vfs.FS, dir string) error {
	var missing []string
	for at := dir; at != disk.PathDir(at); at = disk.PathDir(at) {
		if _, err := disk.Stat(at); !errors.Is(err, fs.ErrNotExist) {
			break // it is there, or creating it will tell what is wrong
		}
		missing = append(missing, at)
	}
	if err := disk.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, made := range missing {
		if err := syncFolder(disk, disk.PathDir(made)); err != nil {
			return err
		}
	}
	if disk == vfs.Default {
		return os.Chmod(dir, 0o700)
	}
	return nil
}

func syncFolder(disk vfs.FS, dir string) error {
	folder, err := disk.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// explainLocked adds to the error of an opening that failed because another has the folder what the system's does not say.
func explainLocked(err error, dir string, disk vfs.FS) error {
	lock, lockErr := pebble.LockDirectory(dir, disk)
	if errors.Is(lockErr, fs.ErrPermission) {
		return err
	}
	if lockErr != nil {
		return fmt.Errorf("another engine, of this process or another one, has it open: %w", err)
	}
	return errors.Join(err, lock.Close())
}
