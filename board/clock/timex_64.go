//go:build amd64 || arm64

package clock

import "golang.org/x/sys/unix"

func setOffset(t *unix.Timex, microseconds int64) { t.Offset = microseconds }
