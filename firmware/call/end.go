package call

import "github.com/pronto-pbx/pronto/firmware/tel"

// End ends a call from outside of it; a call that is gone is no error.
func (x *Exchange) End(id tel.CallID, why tel.Cause) {
	if a := x.find(id); a != nil {
		a.tell(End{why})
	}
}
