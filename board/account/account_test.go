package account

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func box() Paths {
	return Paths{
		Programs: "/bin", Share: "/usr/share/pronto", Office: "/data/pronto", History: "/data/pronto/history", Backup: "/data/pronto/backup", Sticks: "/media", Records: "/data/records",
		Socket: "/run/records", Meet: "/run/exchange", Update: "/data/update", Fit: "/run/fit", Slots: "/run/otad", Temp: "/run/tmp",
	}
}

func TestNobodyIsRootOrAnotherAndNoCellHoldsTheKeysOfTheNext(t *testing.T) {
	seen := map[uint32]string{}
	for _, name := range []string{"prontod", "recordd", "otad"} {
		a, ok := Of(name, box())
		if !ok || a.UID == 0 || a.GID == 0 || slices.Contains(a.Groups, 0) || a.Cell.Program != "/bin/"+name || a.Cell.Files == 0 || a.Cell.Threads == 0 {
			t.Errorf("%s: %+v, %v", name, a, ok)
		}
		if other, twice := seen[a.UID]; twice {
			t.Errorf("%s is %s", name, other)
		}
		seen[a.UID] = name
		for _, path := range a.Cell.Write {
			if slices.Contains([]string{"/", "/data", "/run", "/sys", "/proc", "/bin", "/etc"}, path) {
				t.Errorf("%s may write everything in %s", name, path)
			}
		}
	}
	exchange, _ := Of("prontod", box())
	records, _ := Of("recordd", box())
	for _, path := range slices.Concat(exchange.Cell.Read, exchange.Cell.Write) {
		if path == box().Records || path == "/data" {
			t.Errorf("the exchange reaches %s", path)
		}
	}
	if slices.Contains(records.Groups, DevicesGroup) || slices.Contains(records.Cell.Write, box().Office) || slices.Contains(records.Cell.Write, "/dev") || records.Cell.Listens {
		t.Errorf("recordd reaches what is the exchange's: %+v", records)
	}
	// Who reads files of others has a cell in which there are few.
	if len(exchange.Capabilities) != 0 || !slices.Equal(records.Capabilities, []uintptr{unix.CAP_DAC_READ_SEARCH}) || slices.ContainsFunc(records.Cell.Read, func(path string) bool { return path == "/data" || path == "/" }) {
		t.Errorf("capabilities %v and %v, recordd reads %v", exchange.Capabilities, records.Capabilities, records.Cell.Read)
	}
	if _, ok := Of("linelab", box()); ok {
		t.Error("a program that is not there has an account")
	}
}

// Who talks to a server in the Internet all day, and writes systems, reaches nothing of the office, and nobody of it
// writes what he has fetched.
func TestTheUpdaterAndTheExchangeReachNothingOfEachOther(t *testing.T) {
	updates, _ := Of("otad", box())
	if len(updates.Capabilities) != 0 || len(updates.Groups) != 0 || updates.Cell.Listens {
		t.Errorf("%+v", updates)
	}
	for _, path := range slices.Concat(updates.Cell.Read, updates.Cell.Write) {
		for _, own := range []string{box().Office, box().Records, "/data", "/dev", "/sys", "/"} {
			if path == own {
				t.Errorf("the updater reaches %s", path)
			}
		}
	}
	if slices.Contains(updates.Cell.Write, box().Sticks) || !slices.Contains(updates.Cell.Read, box().Sticks) {
		t.Error("a stick is there to be read")
	}
	for _, name := range []string{"prontod", "recordd"} {
		a, _ := Of(name, box())
		for _, path := range a.Cell.Write {
			if path == box().Update || path == box().Slots || path == "/data" {
				t.Errorf("%s writes %s", name, path)
			}
		}
	}
}

func TestAPathThatAMachineHasNotIsNone(t *testing.T) {
	p := box()
	p.Meet, p.Share = "", ""
	for _, name := range []string{"prontod", "recordd", "otad"} {
		a, _ := Of(name, p)
		if slices.Contains(slices.Concat(a.Cell.Read, a.Cell.Write), "") {
			t.Errorf("%s: %+v", name, a.Cell)
		}
	}
}
