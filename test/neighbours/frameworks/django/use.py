"""Rows in, rows out, by the ORM; the plans are those of Django's own explain()."""
import datetime

import django

django.setup()

from django.contrib.postgres.constraints import ExclusionConstraint  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.db.models import F  # noqa: E402
from django.db.models.functions import Cast  # noqa: E402

from readings.models import Device, Reading  # noqa: E402
from tap import check  # noqa: E402

ROWS = 20000
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def at(second):
    return START + datetime.timedelta(seconds=second)


devices = Device.objects.bulk_create(Device(name="d%d" % i) for i in range(200))
Reading.objects.bulk_create(
    (
        Reading(
            device=devices[i * 37 % 200],
            taken_at=at(i * 10 + i % 7),
            ended_at=None if i % 50 == 0 else at(i * 10 + 9),
            meter=10**12 + i * 3,
            archived=i % 4 == 0,
        )
        for i in range(ROWS)
    ),
    batch_size=5000,
)
with connection.cursor() as cursor:
    cursor.execute("ANALYZE")


def by(index, rows, expected, text):
    plan = rows.explain()
    check(index in plan and "Seq Scan" not in plan, text + ": the plan uses " + index, plan)
    found = [row.pk for row in rows]
    check(found == expected, text + ": the rows are right", "%d rows, not %d" % (len(found), len(expected)))


first = Reading.objects.order_by("id").first().pk
span = Reading.objects.filter(taken_at__gte=at(1000), taken_at__lt=at(2000)).order_by("taken_at")
by("reading_taken_at", span, [first + i for i in range(100, 200)], "range in order")
latest = Reading.objects.order_by(F("ended_at").desc(nulls_last=True))[:5]
by("reading_ended_at", latest, [first + i for i in range(ROWS - 1, ROWS - 6, -1)], "DESC NULLS LAST")
meter = Reading.objects.annotate(whole=Cast("meter", models.BigIntegerField())).filter(whole=10**12 + 3 * 777)
by("reading_meter", meter, [first + 777], "numeric by an expression")
of_device = Reading.objects.filter(device=devices[37 * 5 % 200], archived=False).order_by("id")
by(
    "reading_device",
    of_device,
    [first + i for i in range(ROWS) if i * 37 % 200 == 37 * 5 % 200 and i % 4],
    "partial index of a foreign key",
)

Reading.objects.filter(taken_at__lt=at(1000)).update(taken_at=F("taken_at") + datetime.timedelta(days=9))
Reading.objects.filter(pk__lt=first + 50).delete()
check(span.count() == 100 and not Reading.objects.filter(taken_at__lt=at(1000)).exists(), "after UPDATE and DELETE")
try:
    ExclusionConstraint(name="one", expressions=[("taken_at", "=")], index_type="learned")
    check(False, "ExclusionConstraint refuses other methods than GiST and SP-GiST")
except ValueError as error:
    check("Exclusion constraints only support" in str(error), "ExclusionConstraint refuses learned", error)
