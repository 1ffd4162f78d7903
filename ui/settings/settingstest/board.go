package settingstest

import (
	"github.com/pronto-pbx/pronto/board/model"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// Board is the machine of a box in memory. Its fields may be set before the page is asked.
type Board struct {
	ID    string // of board/model; empty: a Raspberry Pi 5
	State *page.BoardState
}

// Port is the page's way to it.
func (b *Board) Port() settings.Board {
	return settings.Board{
		State: func() *page.BoardState { return b.State },
		Machine: func() model.Board {
			for _, m := range model.Models() {
				if m.ID == b.ID || b.ID == "" && m.ID == "pi5" {
					return model.Board{Model: m, Says: m.Name, Known: true}
				}
			}
			return model.Identify(model.Facts{})
		},
	}
}

// EveryFault is a board with all that can be wrong with one, and all that one can tell.
func EveryFault() *page.BoardState {
	said := func(condition, about string) page.Said {
		return page.Said{Sentence: "board.wrong.board_" + condition, Args: []any{about}}
	}
	return &page.BoardState{
		Wrong:  []page.Said{said("hot", "86 °C"), said("power", ""), said("clock", ""), said("disk", "mmcblk0"), said("network", "eth0")},
		Heated: true, Heat: 86, Limit: 80, Power: &page.BoardPower{Low: true, Was: true, Slow: true}, Clock: &page.BoardClock{Told: true, Volt: 0.4},
		Disks: []page.BoardDisk{{Name: "mmcblk0", Kind: "emmc", GB: 31.9, Worn: 100, Scarce: true, PerDay: 0.42}, {Name: "sda", Kind: "stick", GB: 62}},
		Ports: []page.BoardPort{{Name: "eth0", Up: true, Speed: 10, Half: true, Errors: 1234}, {Name: "wlan0", Wireless: true}}, Console: true,
	}
}
