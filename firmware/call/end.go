package call

import "github.com/pronto-pbx/pronto/firmware/tel"

// EndWith ends the call in which a leg is now, whatever call it began in; a leg that is gone is no error.
func (x *Exchange) EndWith(leg tel.LegID, why tel.Cause) {
	x.mu.Lock()
	a := x.places[leg].owner
	x.mu.Unlock()
	if a != nil {
		a.tell(End{why})
	}
}
