package settings

import (
	"github.com/pronto-pbx/pronto/board/model"
	"github.com/pronto-pbx/pronto/ui/page"
)

// Board is the page's way to the machine that the box is.
type Board struct {
	// Machine is which one it is.
	Machine func() model.Board
	// State is how it was at the last look; nil of a machine that tells nothing.
	State func() *page.BoardState
}
