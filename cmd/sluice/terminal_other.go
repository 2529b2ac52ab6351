//go:build !unix && !windows

package main

import "os"

// terminalColumns takes everything for no terminal.
func terminalColumns(*os.File) (int, bool) { return 0, false }

func enableStyles(*os.File) bool { return false }

func addressTaken(error) bool { return false }

func readerGone(error) bool { return false }
