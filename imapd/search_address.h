/* search_address.h: FROM, TO, CC and BCC look into the ENVELOPE's field (RFC 3501 section 6.4.4): an address is found as
 * mailbox@host too when the field writes it in another form, with comments, blanks or quotes inside */
#ifndef IMAPD_SEARCH_ADDRESS_H
#define IMAPD_SEARCH_ADDRESS_H

#include <stdbool.h>

#include "base/span.h"

/* False: a field that does not hold the needle as it stands has no address with it either. Source: search_address.c */
bool search_address_may(struct span needle);

/* An address of field (several: a line each) holds the needle; both folded. Looks at those fields only whose addresses
 * can have another form than the field shows. Time linear in field. Source: search_address.c */
bool search_address_has(struct span field, struct span needle);

#endif
