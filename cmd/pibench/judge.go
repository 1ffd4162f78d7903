package main

import (
	"regexp"
	"strings"
	"time"
)

// start is what the console has told of one start.
type start struct {
	Loader  string        // version and date of the board's boot loader (EEPROM)
	Kernel  string        // of prontoinit's first line
	System  string        // version of Pronto
	Failed  string        // starts in vain before this one, as the box counts them
	Ready   time.Duration // after power-on; 0: the exchange did not run
	Rescue  bool          // the recovery system has started instead
	Wrong   []string      // lines that should not be there
	Silence bool          // nothing was said at all
}

// Lines of the console. The boot loader's are those of the Raspberry Pi 4 and 5 with BOOT_UART=1.
var (
	loaderLine = regexp.MustCompile(`BOOTLOADER release VERSION (\S+) DATE (\S+)`)
	firstLine  = regexp.MustCompile(`msg=Pronto .*version=(\S+) kernel=(\S+)`)
	countLine  = regexp.MustCompile(`msg=start .*failed_before=(\d+)`)
	readyLine  = `msg="the exchange runs"`
	rescueLine = `msg="recovery system"`
	// What a healthy start never says: a damaged file system, a panic, an error of the first program.
	wrongLine = regexp.MustCompile(`EXT4-fs error|Kernel panic|Oops|Internal error|I/O error|mmc\d: (error|Timeout)|level=ERROR`)
)

// most is how many wrong lines of one start are kept.
const most = 20

// take adds one line that came after a time since power-on.
func (s *start) take(line string, after time.Duration) {
	s.Silence = false
	if m := loaderLine.FindStringSubmatch(line); m != nil {
		s.Loader = m[1] + " of " + m[2]
	}
	if m := firstLine.FindStringSubmatch(line); m != nil {
		s.System, s.Kernel = m[1], m[2]
	}
	if m := countLine.FindStringSubmatch(line); m != nil {
		s.Failed = m[1]
	}
	if strings.Contains(line, rescueLine) {
		s.Rescue = true
	}
	if strings.Contains(line, readyLine) && s.Ready == 0 {
		s.Ready = after
	}
	if wrongLine.MatchString(line) && len(s.Wrong) < most {
		s.Wrong = append(s.Wrong, strings.TrimSpace(line))
	}
}

// verdict is empty for a start after which phones work, else why it is none.
func (s *start) verdict() string {
	switch {
	case s.Silence:
		return "the board says nothing: is its console wired, and its boot loader told BOOT_UART=1?"
	case s.Rescue:
		return "it came up in the recovery system"
	case s.Ready == 0:
		return "the exchange does not run"
	case len(s.Wrong) > 0:
		return "it says: " + s.Wrong[0]
	}
	return ""
}
