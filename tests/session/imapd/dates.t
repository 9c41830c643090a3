# Dates of letters after the first look at a folder of many, which leaves them out: whoever asks finds them in the files
@sh mkdir -p .Sent/cur .Sent/new .Sent/tmp && printf 'Subject: a\n\nb\n' >s && touch -d '1999-09-09 12:00' s && python3 -c 'import os; [os.link("s", "cur/%d.x:2," % i) for i in range(2004, 3110)]'
@sh n=2000; for day in 2003-03-03 2001-01-01 2002-02-02; do n=$((n+1)); cp s cur/$n.x:2, && touch -d "$day 12:00" cur/$n.x:2, || exit 1; done
S: a0 OK <*>
C: a1 SELECT INBOX
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 1109 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] <*>
S: * OK [UIDVALIDITY <#v>] <*>
S: * OK [UIDNEXT 1110] <*>
S: * OK [HIGHESTMODSEQ <#m0>] <*>
S: a1 OK <*>
C: a2 FETCH 1:2 INTERNALDATE
S: * 1 FETCH (INTERNALDATE "03-Mar-2003 12:00:00 <*>")
S: * 2 FETCH (INTERNALDATE "01-Jan-2001 12:00:00 <*>")
S: a2 OK <*>
C: a3 FETCH 4 (INTERNALDATE BODY.PEEK[TEXT])
S: * 4 FETCH (INTERNALDATE "09-Sep-1999 12:00:00 <*>" BODY[TEXT] {3}
S: b
S: )
S: a3 OK <*>
# gone, or called another name since
@sh rm cur/2020.x:2, && mv cur/2021.x:2, cur/2021.x:2,S
C: a12 FETCH 20:22 INTERNALDATE
S: * 21 FETCH (INTERNALDATE "09-Sep-1999 12:00:00 <*>")
S: * 22 FETCH (INTERNALDATE "09-Sep-1999 12:00:00 <*>")
S: * 21 FETCH (FLAGS (\Seen))
S: a12 OK [EXPUNGEISSUED] <*>
C: a13 NOOP
S: * 20 EXPUNGE
S: a13 OK <*>
# copied before anybody asks
C: a11 COPY 30,1100 Sent
S: a11 OK [COPYUID <*>] <*>

C: a4 SEARCH SINCE 1-Jan-2002
S: * SEARCH 1 3
S: a4 OK <*>
C: a5 SEARCH 1:10 OR ON 9-Sep-1999 BEFORE 1-Jan-1999
S: * SEARCH 4 5 6 7 8 9 10
S: a5 OK <*>
C: a6 SEARCH 1:5 YOUNGER 3600
S: * SEARCH
S: a6 OK <*>
C: a7 SEARCH 1:5 NOT SINCE 1-Jan-2002 OLDER 3600
S: * SEARCH 2 4 5
S: a7 OK <*>
C: a8 SORT (REVERSE ARRIVAL) UTF-8 1:4
S: * SORT 1 3 2 4
S: a8 OK <*>
# without a Date the internal one counts
C: a9 SORT (DATE) UTF-8 1:4
S: * SORT 4 2 3 1
S: a9 OK <*>
C: a10 THREAD ORDEREDSUBJECT UTF-8 1:4
S: * THREAD (4 (2)(3)(1))
S: a10 OK <*>
C: a14 SELECT Sent
S: * OK [CLOSED] <*>
S: * FLAGS (<*>)
S: * OK [PERMANENTFLAGS (<*>)] <*>
S: * 2 EXISTS
S: * 2 RECENT
S: * OK [UNSEEN 1] <*>
S: * OK [UIDVALIDITY <#>] <*>
S: * OK [UIDNEXT 3] <*>
S: * OK [HIGHESTMODSEQ <#>] <*>
S: a14 OK <*>
C: a15 FETCH 1:* INTERNALDATE
S: * 1 FETCH (INTERNALDATE "09-Sep-1999 12:00:00 <*>")
S: * 2 FETCH (INTERNALDATE "09-Sep-1999 12:00:00 <*>")
S: a15 OK <*>
C: a16 LOGOUT
S: * BYE <*>
S: a16 OK <*>
@eof
