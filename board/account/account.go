// Package account is who the programs of a box are and what each may reach: the one table of its users.
//
// Only the first program is root. The ports of SIP and of the page are open to programs without a capability
// (net.ipv4.ip_unprivileged_port_start), modems and lamps by their group. One service has a capability: recordd
// makes the backups, for which it reads the files of the exchange, and its cell holds nothing else to be read.
package account

import (
	"slices"

	"github.com/pronto-pbx/pronto/board/confine"
	"golang.org/x/sys/unix"
)

// The numbers never change: they are on the cards of boxes.
const (
	Exchange = 901 // prontod
	Records  = 902 // recordd
	Updates  = 903 // otad

	HistoryGroup = 910 // who reads the history of calls and asks for records
	DevicesGroup = 911 // who uses modems and lamps
)

// Account is a program that runs without privileges.
type Account struct {
	UID, GID uint32
	Groups   []uint32 // beside GID
	// Capabilities are what it may beside its files, by the kernel's numbers.
	Capabilities []uintptr
	Cell         confine.Cell
}

// Paths are where things lie.
type Paths struct {
	Programs string // the directory of the programs
	Share    string // what comes with them
	Office   string // the state of the exchange
	History  string // the history of calls, in Office, which recordd follows
	Backup   string // how the backups stand, and their keys, in Office, which both write
	Sticks   string // what the directory lies in where a stick is mounted: a wall hides what lies below a mount of later
	Records  string // recordd's data
	Socket   string // the directory of recordd's socket
	Meet     string // where the exchange tells the first program what it needs; empty: nowhere
	Update   string // the state of the updater, and what it fetches; empty: there is none
	Fit      string // where the exchange tells the updater how it is; empty: nowhere
	Slots    string // where the updater is spoken to, and has the devices of the slots; empty: there is none
	Temp     string
}

// descriptors is how many the exchange may have: two for each call, and those of the page. threads is far
// above what is seen: Go ends a program that cannot have one more.
const (
	descriptors = 1 << 16
	threads     = 2048
)

// Of returns the account of a program, by its name.
func Of(name string, p Paths) (Account, bool) {
	switch name {
	case "prontod":
		return Account{
			UID: Exchange, GID: Exchange, Groups: []uint32{HistoryGroup, DevicesGroup},
			Cell: confine.Cell{
				Program: p.Programs + "/prontod", Listens: true, Files: descriptors, Threads: threads,
				Read: set("/etc", "/run", "/proc", "/sys", p.Share, p.Socket),
				// Which devices of /dev it may open is said by their groups.
				Write: set(p.Office, p.Sticks, p.Meet, p.Fit, p.Temp, "/dev", "/sys/bus/usb", "/sys/devices"),
			},
		}, true
	case "recordd":
		return Account{
			UID: Records, GID: Records, Groups: []uint32{HistoryGroup}, Capabilities: []uintptr{unix.CAP_DAC_READ_SEARCH},
			Cell: confine.Cell{
				Program: p.Programs + "/recordd", Files: 4096, Threads: threads, Victim: 500,
				Read:  set("/etc", "/run", "/proc", p.Office, "/dev/urandom"),
				Write: set(p.Records, p.Socket, p.Backup, p.Sticks, p.Temp, "/dev/null"),
			},
		}, true
	case "otad":
		return Account{
			UID: Updates, GID: Updates,
			Cell: confine.Cell{
				Program: p.Programs + "/otad", Files: 1024, Threads: threads, Victim: 800,
				Read: set("/etc", "/run", "/proc", p.Share, p.Sticks, "/dev/urandom"),
				// Of the card it has what the first program lends it in Slots.
				Write: set(p.Update, p.Slots, p.Temp, "/dev/null"),
			},
		}, true
	default:
		return Account{}, false
	}
}

// set are the paths that this machine has.
func set(all ...string) []string {
	return slices.DeleteFunc(all, func(path string) bool { return path == "" })
}
