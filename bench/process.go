package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// clockTick is the unit of CPU times in /proc: Linux reports hundredths of a second to user space whatever the kernel's own rate.
const clockTick = 10 * time.Millisecond

// processUse reads what a process has used so far: CPU time of all its threads, and the memory that is resident now.
func processUse(pid int) (cpu time.Duration, residentBytes int64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	return parseStat(stat, int64(os.Getpagesize()))
}

// parseStat understands the one line of /proc/PID/stat. The second field is the program's name in parentheses, which may hold anything.
func parseStat(stat []byte, pageSize int64) (cpu time.Duration, residentBytes int64, err error) {
	_, rest, ok := cutLast(stat, []byte(") "))
	fields := bytes.Fields(rest)
	const user, system, resident = 14 - 3, 15 - 3, 24 - 3 // as proc(5) counts, less the three before rest's second
	if !ok || len(fields) <= resident {
		return 0, 0, errors.New("read a process's statistics: unknown format")
	}
	var numbers [3]int64
	for i, at := range []int{user, system, resident} {
		if numbers[i], err = strconv.ParseInt(string(fields[at]), 10, 64); err != nil {
			return 0, 0, fmt.Errorf("read a process's statistics: %w", err)
		}
	}
	return time.Duration(numbers[0]+numbers[1]) * clockTick, numbers[2] * pageSize, nil
}

func cutLast(s, separator []byte) (before, after []byte, found bool) {
	at := bytes.LastIndex(s, separator)
	if at < 0 {
		return s, nil, false
	}
	return s[:at], s[at+len(separator):], true
}
