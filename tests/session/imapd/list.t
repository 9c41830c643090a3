# LIST and LSUB: RFC 3501 sections 6.3.8 and 6.3.9, RFC 5258, RFC 5819, RFC 6154
@sh mkdir -p .Fruit/cur .Fruit.Apple/cur .Fruit.Banana/cur .Tofu/cur .Vegetable/cur .Vegetable.Broccoli/cur .Vegetable.Corn/cur
@sh printf 'V\t2\n\nFruit\tBanana\nFruit\tPeach\nINBOX\nVegetable\nVegetable\tBroccoli\n' > subscriptions
S: a0 OK <*>
C: a1 LIST "" ""
S: * LIST (\Noselect) "." ""
S: a1 OK <*>
C: a2 LIST "Fruit.Apple" ""
S: * LIST (\Noselect) "." Fruit.
S: a2 OK <*>
C: a3 LIST "" *
S: * LIST (\HasNoChildren) "." INBOX
S: * LIST (\HasChildren) "." Fruit
S: * LIST (\HasNoChildren) "." Fruit.Apple
S: * LIST (\HasNoChildren) "." Fruit.Banana
S: * LIST (\HasNoChildren) "." Tofu
S: * LIST (\HasChildren) "." Vegetable
S: * LIST (\HasNoChildren) "." Vegetable.Broccoli
S: * LIST (\HasNoChildren) "." Vegetable.Corn
S: a3 OK <*>
C: a4 LIST "" %
S: * LIST (\HasNoChildren) "." INBOX
S: * LIST (\HasChildren) "." Fruit
S: * LIST (\HasNoChildren) "." Tofu
S: * LIST (\HasChildren) "." Vegetable
S: a4 OK <*>
C: a5 LIST "Fruit." %
S: * LIST (\HasNoChildren) "." Fruit.Apple
S: * LIST (\HasNoChildren) "." Fruit.Banana
S: a5 OK <*>
C: a6 LIST "" "inbo%"
S: * LIST (\HasNoChildren) "." INBOX
S: a6 OK <*>
C: a7 LIST "" nothing
S: a7 OK <*>
# RFC 5258 section 5, example 2
C: b1 LIST (SUBSCRIBED) "" "*"
S: * LIST (\Subscribed) "." INBOX
S: * LIST (\Subscribed) "." Fruit.Banana
S: * LIST (\Subscribed \NonExistent) "." Fruit.Peach
S: * LIST (\Subscribed) "." Vegetable
S: * LIST (\Subscribed) "." Vegetable.Broccoli
S: b1 OK <*>
# example 3
C: b2 LIST () "" "%" RETURN (CHILDREN)
S: * LIST (\HasNoChildren) "." INBOX
S: * LIST (\HasChildren) "." Fruit
S: * LIST (\HasNoChildren) "." Tofu
S: * LIST (\HasChildren) "." Vegetable
S: b2 OK <*>
# example 6: more than one pattern, a literal among them
C: b3 LIST "" ("INBOX" {4+}
C: Tofu "Fruit.%")
S: * LIST () "." INBOX
S: * LIST () "." Fruit.Apple
S: * LIST () "." Fruit.Banana
S: * LIST () "." Tofu
S: b3 OK <*>
# example 8: RECURSIVEMATCH tells of children by their parent
C: b4 LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"
S: * LIST (\Subscribed) "." INBOX
S: * LIST () "." Fruit ("CHILDINFO" ("SUBSCRIBED"))
S: * LIST (\Subscribed) "." Vegetable ("CHILDINFO" ("SUBSCRIBED"))
S: b4 OK <*>
# the parent is not told when its children are (section 3.5)
C: b5 LIST (SUBSCRIBED RECURSIVEMATCH) "" ("%" "Fruit.*")
S: * LIST (\Subscribed) "." INBOX
S: * LIST (\Subscribed) "." Fruit.Banana
S: * LIST (\Subscribed \NonExistent) "." Fruit.Peach
S: * LIST (\Subscribed) "." Vegetable ("CHILDINFO" ("SUBSCRIBED"))
S: b5 OK <*>
C: b6 LIST "" "*" RETURN (SUBSCRIBED CHILDREN)
S: * LIST (\Subscribed \HasNoChildren) "." INBOX
S: * LIST (\HasChildren) "." Fruit
S: * LIST (\HasNoChildren) "." Fruit.Apple
S: * LIST (\Subscribed \HasNoChildren) "." Fruit.Banana
S: * LIST (\HasNoChildren) "." Tofu
S: * LIST (\Subscribed \HasChildren) "." Vegetable
S: * LIST (\Subscribed \HasNoChildren) "." Vegetable.Broccoli
S: * LIST (\HasNoChildren) "." Vegetable.Corn
S: b6 OK <*>
C: b7 LIST (REMOTE) "" "Tofu" RETURN ()
S: * LIST () "." Tofu
S: b7 OK <*>
# section 3: errors
C: b8 LIST (RECURSIVEMATCH) "" "*"
S: b8 BAD <*>
C: b9 LIST (FROB) "" "*"
S: b9 BAD <*>
C: b10 LIST "" "*" RETURN (FROB)
S: b10 BAD <*>
C: b11 LIST "" ()
S: b11 BAD <*>
C: b12 LIST ""
S: b12 BAD <*>
# an empty pattern means nothing in the extended syntax
C: b13 LIST () "" ""
S: b13 OK <*>
# RFC 5819
C: c1 LIST "" (INBOX Fruit.Peach Tofu) RETURN (STATUS (MESSAGES UNSEEN))
S: * LIST () "." INBOX
S: * STATUS INBOX (MESSAGES 0 UNSEEN 0)
S: * LIST () "." Tofu
S: * STATUS Tofu (MESSAGES 0 UNSEEN 0)
S: c1 OK <*>
C: c2 LIST (SUBSCRIBED) "" "Fruit.*" RETURN (STATUS (MESSAGES))
S: * LIST (\Subscribed) "." Fruit.Banana
S: * STATUS Fruit.Banana (MESSAGES 0)
S: * LIST (\Subscribed \NonExistent) "." Fruit.Peach
S: c2 OK <*>
C: c3 LIST "" "*" RETURN (STATUS)
S: c3 BAD <*>
C: c4 LIST "" "*" RETURN (STATUS ())
S: c4 BAD <*>
# LSUB: a parent stands for its children when they do not match
C: d1 LSUB "" *
S: * LSUB () "." INBOX
S: * LSUB () "." Fruit.Banana
S: * LSUB () "." Fruit.Peach
S: * LSUB () "." Vegetable
S: * LSUB () "." Vegetable.Broccoli
S: d1 OK <*>
C: d2 LSUB "" %
S: * LSUB () "." INBOX
S: * LSUB (\Noselect) "." Fruit
S: * LSUB () "." Vegetable
S: d2 OK <*>
C: d2a LSUB "" Fruit
S: d2a OK <*>
C: d2b LSUB "" %Fruit
S: * LSUB (\Noselect) "." Fruit
S: d2b OK <*>
C: d3 LSUB "Fruit." %
S: * LSUB () "." Fruit.Banana
S: * LSUB () "." Fruit.Peach
S: d3 OK <*>
C: d4 LSUB "" ""
S: d4 OK <*>
C: d5 LSUB (SUBSCRIBED) "" *
S: d5 BAD <*>
# parents that are no folders
@sh rm -r .Fruit && mkdir -p .x.y.z/cur
C: e1 LIST "" "x*"
S: * LIST (\Noselect \HasChildren) "." x
S: * LIST (\Noselect \HasChildren) "." x.y
S: * LIST (\HasNoChildren) "." x.y.z
S: e1 OK <*>
C: e2 LIST "" ("x" "Fruit") RETURN (CHILDREN)
S: * LIST (\NonExistent \HasChildren) "." Fruit
S: * LIST (\NonExistent \HasChildren) "." x
S: e2 OK <*>
C: e3 LIST (SUBSCRIBED RECURSIVEMATCH) "" "Fr%" RETURN (CHILDREN)
S: * LIST (\NonExistent \HasChildren) "." Fruit ("CHILDINFO" ("SUBSCRIBED"))
S: e3 OK <*>
# special uses (RFC 6154 section 5.1)
@sh mkdir -p .Sent/cur .Drafts/cur .Junk/cur && printf 'Sent\n' > subscriptions
C: f1 LIST "" "%e%t"
S: * LIST (\HasNoChildren \Sent) "." Sent
S: f1 OK <*>
C: f2 LIST (SPECIAL-USE) "" "*"
S: * LIST (\Drafts) "." Drafts
S: * LIST (\Junk) "." Junk
S: * LIST (\Sent) "." Sent
S: f2 OK <*>
C: f3 LIST "" ("Sent" "Tofu") RETURN (SPECIAL-USE)
S: * LIST (\Sent) "." Sent
S: * LIST () "." Tofu
S: f3 OK <*>
C: f4 LIST (SPECIAL-USE SUBSCRIBED) "" "*"
S: * LIST (\Subscribed \Sent) "." Sent
S: f4 OK <*>
C: f5 LIST "" "Sent" RETURN (CHILDREN)
S: * LIST (\HasNoChildren) "." Sent
S: f5 OK <*>
# IMAP4rev2 knows no \Noselect for what is not there
C: g1 ENABLE IMAP4rev2
S: * ENABLED IMAP4rev2
S: g1 OK <*>
C: g2 LIST "" "x"
S: * LIST (\NonExistent \HasChildren) "." x
S: g2 OK <*>
C: g3 NAMESPACE
S: * NAMESPACE (("" ".")) NIL NIL
S: g3 OK <*>
C: g4 NAMESPACE x
S: g4 BAD <*>
C: z9 LOGOUT
S: * BYE <*>
S: z9 OK <*>
@eof
