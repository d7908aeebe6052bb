"""English words that ordinary talk is full of: data for voice/naming.py.

Written down for this project from common knowledge of conversation, not counted: the most frequent words,
and the greetings, times, relatives and household words that a home hears all day. Words that clients like for
parts and that are rarer in talk ("critic", "foreman", "wall", "girl") are left out: their forecast decides.
"""

from __future__ import annotations

from typing import Final

FUNCTION: Final = frozenset(
    """a an and are as at be but by can do for from get go had has have he help her here hey hi him his how i
    if in is it just like me my no not now of off oh ok okay on one or our out part say she so stop that the
    them then there they this to up us was we what when where who why will with yes yeah you your""".split()
)
"""Words that say nothing by themselves; a name made of these alone is ordinary talk at any length."""

EVERYDAY: Final = FUNCTION | frozenset(
    """able about above across actually after afternoon again against ago ahead air all alone along already
    alright also although always am amazing among another answer any anybody anymore anyone anything
    anyway apart around ask asked asking away awful baby back bad bath bathroom because bed bedroom been
    before began behind being believe below best better between beyond big bill birthday bit body book
    books both bottom bought bread break breakfast bring brother brought building business busy
    buy bye call called came cannot car card care careful carry catch chair change check child children
    church city class clean clear clock close closed clothes coffee cold come comes coming computer cool
    cost could country couple course cup cut dad daddy day days deal dear did didn't different difficult
    dinner doctor does doesn't dog doing don't done door doors double down drink during each early easy
    eat eight either eleven else email end enough even evening ever every everybody everyone everything
    everywhere exactly excuse eye eyes face fact fall family far fast father favorite favourite feel
    feeling feet fell felt few fight finally find fine finger finish finished first five floor food foot
    football forever forget forgot found four fresh friday friend friends full fun funny game games gave
    gets getting give given gives giving glad goes going gone gonna good goodbye goodness goodnight got
    gotta grandma grandpa great group grow guess guy guys hair half hand hands happen happened happens
    happy hard hardly having he's head hear heard hello here's hers herself high himself hmm hold home
    honey hope hot hour hours house hundred hurt husband i'd i'll i'm i've idea important inside instead
    internet into isn't it's its itself job juice keep keeps kept key keys kid kids kind kitchen knew know
    known knows large last late lately later laugh learn least leave leaving left less let let's letter
    life line list listen little live lived living long longer look looked looking looks lose lot lots
    love lovely low lucky lunch made mail make makes making man many married matter may maybe mean means
    meant meat meet meeting men message met middle might mile milk mind mine minute minutes miss mister
    mom moment mommy monday money month months more morning most mother move movie mr mrs much mum mummy
    music must myself name near nearly need needed needs neither never new news next nice night nine
    nobody none nope normal nothing number o'clock obviously odd office often older once ones only open
    order other others otherwise ought ours outside over own page paid paper parents pay people perhaps
    person phone photo pick piece place plan play played playing please pleased plenty pm police possible
    post present pretty price probably problem program programme put puts putting question quick quickly
    quite radio ran rather read reading ready real really reason red remember rest right room round run
    running said same sat saturday save saw saying says school second see seem seems seen sell send sense
    sent seriously set seven several shall she's shoe shoes shopping should shouldn't show since sing
    sister sit sitting six sleep sleeping slow slowly small some somebody someone something sometimes
    somewhere song soon sorry sort sound sounds speak spend spoke stand start started stay step still
    stood stopped store stuff such suddenly sun sunday suppose sure table take taken takes taking talk
    talked talking tall tea teach telephone television tell telling ten than thank thanks that'll that's
    their themselves there's these they'll they're they've thing things think thinking third thirty those
    though thought thousand three through thursday till time times today together toilet told tomorrow
    tonight too took touch toward towards town tried true truth try trying tuesday turn turned tv twelve
    twenty twice two type uh uhh um under understand until upon upset upstairs use used useful usual
    usually very wait walk walking wanna want wanted wants wasn't watch water way we'll we're we've
    wednesday week weekend weeks welcome well went were weren't what's whatever whenever which while white
    who's whole whose wife win window without woman women won't wonderful word words wore work worked
    working works world worry worse worth would wouldn't wow write wrong year years yep yesterday yet
    you'd you'll you're you've yours yourself""".split()
)
"""Words heard every day; one or two of them alone make no name."""
