package check

import "slices"

func (s *Snapshot) permissions(c *Check) {
	missing := map[string][]string{}
	for _, right := range s.Rights {
		if !right.Allowed {
			missing[right.Account] = append(missing[right.Account], right.Verb+" "+right.Resource)
		}
	}
	for account, rights := range missing {
		slices.Sort(rights)
		c.fail(s.object("ServiceAccount", account), s.upgrade(), "it may not: %s", names(rights))
	}
	c.Summary = count(len(s.Rights), "right") + " of the components"
}
