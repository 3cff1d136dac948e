from __future__ import annotations
import time
from tests.integration.harness import *
def test_smoke(site):
    t=time.time()
    w=site.worker(); 
    print(w.url, time.time()-t)
    s,b=w.get("/metrics"); print(s,len(b),b.count("\n"))
    w.ready(); print("ready",time.time()-t)
    t=time.time(); s,b=w.get("/metrics"); print(s,len(b),b.count("\n"),time.time()-t)
    t=time.time(); x=w.scrape(); print(len(x.numbers),time.time()-t)
    t=time.time(); ws=[w,site.worker(),site.worker()]
    for i in range(40):
        print(round(time.time()-t,1),[sorted(x.programs()) for x in ws]); time.sleep(.5)
        if all(x.programs() for x in ws): break
    print(site.verify(ws))
    t=time.time(); print(w.end(), time.time()-t)
    once_shown(ws[1:]); print(time.time()-t)
    print(ws[1].log)
